"""How fast the target may be called: one budget for all workers, kept in Redis."""
