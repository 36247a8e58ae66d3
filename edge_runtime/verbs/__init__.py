"""One module a verb of the command line: ``main(arguments) -> exit code``, imported when the verb is called."""
