"""The `catok` command: one file per subcommand."""
