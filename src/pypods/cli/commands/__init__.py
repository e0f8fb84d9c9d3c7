"""One file for each command; each parses, calls and prints."""
