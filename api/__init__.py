"""HTTP in and out; the rules are in `engine`."""
