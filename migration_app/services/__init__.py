"""Changes to what the console keeps: one transaction each, with its audit row. Never imports jobs."""
