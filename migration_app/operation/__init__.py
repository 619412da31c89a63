"""The operation as a whole: its health, its rate, and what waits for a person."""
