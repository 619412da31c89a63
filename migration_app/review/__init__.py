"""The review queue: groups by reason, assignments, readings of the target, recommended actions and decisions.

Beside the engine, which knows nothing of it: the rows of the queue are kept by a trigger, and what a worker read comes
through the journal. ``reasons`` has the room's own texts. Must not import jobs or rq.
"""
