"""The verbs that change or show which model is installed. They never decide anything that `installed` should."""
