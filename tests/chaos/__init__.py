"""Workers, servers and wires that fail on purpose, for the end-to-end tests and the soak."""
