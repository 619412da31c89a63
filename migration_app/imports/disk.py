"""A full disk during an import: distinguished from other errors, with advice.

Such an import fails and can be restarted; what it had stored stays and is not counted twice.
"""

from __future__ import annotations

import errno

import psycopg

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SERVER_FULL = (psycopg.errors.DiskFull, psycopg.errors.ConfigurationLimitExceeded)

AGAIN_TEXT = "Then start the import again: what it has stored stays, and nothing is counted twice."


class DiskFullError(Exception):
    """There was no room left; the text says where, and what to do."""


def disk_full_text(error: BaseException | None) -> str:
    """Say which disk is full, and to make room, if that is what went wrong; empty if it was something else."""
    while error is not None:
        if isinstance(error, _SERVER_FULL):
            return "The disk of the database server is full (or its temp_file_limit is reached): make room there."
        if isinstance(error, OSError) and error.errno in _FULL:
            return (
                "A disk is full on the machine that reads the file: that of its temporary directory "
                "(TMPDIR names another), or that of the reject file. Make room."
            )
        if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
            return (
                "No temporary directory can be written to on the machine that reads the file: make room in /tmp, or "
                "name another directory in TMPDIR."
            )
        error = error.__cause__
    return ""
