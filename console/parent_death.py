"""A child that ends with its parent, where the system is Linux. Standard library only: a server has no more."""

import ctypes
import os
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def ask_for_signal_on_parent_death(signum: int) -> Callable[[], None] | None:
    """Return a preexec_fn by which Linux sends `signum` to the child when the thread that started it ends."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: the child of a threaded process must not take locks
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:  # it died between the fork and the line above
            os.kill(os.getpid(), signum)

    return ask
