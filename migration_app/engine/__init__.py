"""The turn of a worker: claims threads, keeps their leases, runs the steps of each, and records what became of it.

No transaction is open across a call to an API, and every write is announced in the database before it is sent.
``engine.steps`` is what happens to one thread. Must not import jobs or rq.
"""
