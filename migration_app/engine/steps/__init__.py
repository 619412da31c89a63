"""What is done with one thread: snapshot, backfill, verify, review of its copy, roll back.

A write whose answer was lost is looked up, never repeated on a guess. Must not import jobs or rq.
"""
