"""The door through which the engine writes: entries of many threads, collected and applied by one statement.

``entries`` is what a thread hands in, ``statement`` how a group of them is applied, ``commits`` what collects them.
Must not import jobs or rq.
"""
