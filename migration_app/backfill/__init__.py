"""The engine: snapshot from a live source, backfill, verify.

No transaction is open across a call to an API, every write is announced in the database before it is sent,
and a write whose answer was lost is looked up, never repeated. Must not import jobs or rq.
"""
