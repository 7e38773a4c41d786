"""The command line: its options, its help and what the terminal shows."""
