"""Files become snapshots: received, claimed by a worker, read, stored, ended.

Calls no API. ``imports`` has the lifecycle, ``archives`` and ``thread_ids`` read a file, ``store`` writes what is new.
"""
