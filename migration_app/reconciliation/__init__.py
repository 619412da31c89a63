"""Both sides compared again, later: what is checked, how rows are chosen, what differs, and the report.

Beside the engine. ``work`` reads the target and the live source; the rest goes as far as the database goes.
"""
