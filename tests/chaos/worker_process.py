"""`python -m tests.chaos.worker_process`: a worker as `rqworker default` starts it, told what tests need to tell.

--sweep SECONDS   how often it looks into the database for lost work, instead of every 20
--restart-pause SECONDS
                  how long a thread waits first that was started over often, instead of a minute
--clock SECONDS   how wrong its wall clock is, ahead or behind
--freeze BOUNDARY:NUMBER
                  freeze worker and job (SIGSTOP) when a boundary is passed for the n-th time, until somebody
                  continues them; see ``tests.chaos.freezing``; can be given more than once
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import os
import sys
import time
from collections.abc import Sequence

import django
from django.core.management import call_command
from django.utils import timezone
from rq import utils

from tests.chaos import freezing


def main(arguments: Sequence[str]) -> None:
    """Work until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.worker_process")
    parser.add_argument("--sweep", type=int, required=True)
    parser.add_argument("--restart-pause", type=float, required=True)
    parser.add_argument("--clock", type=float, default=0.0)
    parser.add_argument("--freeze", action="append", default=[], type=freezing.freeze_of)
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    worker = importlib.import_module("migration_app.worker")  # models can't be imported before
    vars(worker)["SWEEP_SECONDS"] = options.sweep
    vars(importlib.import_module("migration_app.engine.steps.doubts"))["_FIRST_PAUSE"] = options.restart_pause
    if options.clock:
        set_wrong(options.clock)
    if options.freeze:
        freezing.arm(options.freeze)
    call_command("rqworker", "default", verbosity=0)


def set_wrong(seconds: float) -> None:
    """Let Python's, Django's and RQ's wall clock be wrong by so much, wherever it has been imported already."""
    right, right_now = time.time, utils.now

    def now() -> dt.datetime:
        return right_now() + dt.timedelta(seconds=seconds)

    time.time = lambda: right() + seconds
    timezone.now = now
    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is right_now:
            module.now = now  # type: ignore[attr-defined]  # a module, of which mypy knows no names


if __name__ == "__main__":
    main(sys.argv[1:])
