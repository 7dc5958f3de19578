"""The command line: its commands, the live view, and what is printed."""
