"""A user for initdb, which refuses to work for one without an entry in /etc/passwd, as of `docker run --user 12345`.

On Linux the child enters a user namespace of its own, where our number is called by one that has an entry. Nothing
else changes: what it writes is ours, and it gains no right. Only initdb asks; the server itself runs without. Must not
import Django.
"""

import ctypes
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWUSER = 0x1000_0000  # linux/sched.h


def is_unknown() -> bool:
    """Tell whether our user has no entry."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return True
    return False


def borrow_user() -> Callable[[], None] | None:
    """Return a preexec_fn by which the child gets a user with an entry, or None where there is none to borrow.

    It raises OSError where the system does not allow it, as containers often don't.
    """
    known = sorted((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), reverse=True)
    if sys.platform != "linux" or not known:
        return None
    return namespace_entry(known[0])


def namespace_entry(inside: int) -> Callable[[], None]:
    """Return what enters a user namespace in which our user and group have the number `inside`."""
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork, see parent_death
    user, group = os.geteuid(), os.getegid()

    def enter() -> None:
        if libc.unshare(_CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "no user namespace")
        own = Path("/proc/self")
        (own / "uid_map").write_text(f"{inside} {user} 1")
        (own / "setgroups").write_text("deny")
        (own / "gid_map").write_text(f"{inside} {group} 1")

    return enter
