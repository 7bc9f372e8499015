"""Exit codes of every command; knows no command."""

OK, INTERNAL, USAGE, ENVIRONMENT, PARITY, INSPECTION_LOSS, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
