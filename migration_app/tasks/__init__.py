"""Long work: one lifecycle for its rows, one registry of its kinds, one breaker. Must not import rq."""
