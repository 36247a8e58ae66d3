"""The subcommands that change or show which model is installed. Never decide anything that `installed` should."""
