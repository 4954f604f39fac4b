"""The command line. Each command has a file; what is heavy is imported inside the commands."""
