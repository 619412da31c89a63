"""A thread and its copy in the database: statuses, plans, assessments, selections, mapping.

Calls no API. ``statuses`` is the only place that changes a thread's status.
"""
