"""A thread and its copy as the database knows them: the door for statuses, plans, assessments, selections, mapping.

Calls no API. ``statuses`` is the only place that changes a thread's status.
"""
