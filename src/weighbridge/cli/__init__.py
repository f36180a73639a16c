"""The command line: one file a command, loaded when it is called. Exit codes: ``docs/format.md``, section 10."""
