"""A worker that freezes itself at a boundary, until somebody continues it."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.chaos.freezing import Freeze, freeze_of
from tests.chaos.killable import Workers

_PASSING = """
from tests.chaos.freezing import Freeze, Freezer
freezer = Freezer([Freeze("after_write", 2)])
for number in range(3):
    print(number, flush=True)
    freezer.passing("after_write")
    freezer.passing("before_write")
"""


def stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def wait_until_stopped(process: psutil.Process) -> None:
    end = time.monotonic() + 20
    while not stopped(process):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_freezing_process_stands_still_at_its_boundary_until_it_is_continued() -> None:
    process = subprocess.Popen([sys.executable, "-c", _PASSING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    wait_until_stopped(psutil.Process(process.pid))
    assert [process.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=20)[0] == "2\n"
    assert process.returncode == 0


def test_freeze_is_read_from_the_command_line() -> None:
    assert freeze_of("in_transport:3") == Freeze("in_transport", 3)


@pytest.mark.parametrize("text", ["nowhere:1", "at_limit", "at_limit:one"])
def test_what_is_no_freeze_is_refused(text: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--freeze", type=freeze_of)
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(["--freeze", text])


def test_every_boundary_is_where_arming_looks_for_it() -> None:
    """In a process of its own: what is patched stays patched."""
    code = "import django; django.setup(); from tests.chaos.freezing import arm; arm([])"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_whole_family_of_a_worker_is_frozen_and_continued() -> None:
    workers = Workers({}, sweep_seconds=60)
    child = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"],
        stdin=subprocess.PIPE,
        env={"CONSOLE_WORKER_FAMILY": "the-family", "PATH": ""},
    )
    workers._places.append((child, "the-family", 0.0))
    parent = psutil.Process(child.pid)
    end = time.monotonic() + 20
    while not parent.children():
        assert time.monotonic() < end
        time.sleep(0.01)
    family = [parent, *parent.children()]
    assert not workers.is_frozen(0)
    workers.freeze(0)
    for process in family:
        wait_until_stopped(process)
    assert workers.is_frozen(0)
    workers.thaw(0)
    assert [stopped(process) for process in family] == [False, False]
    workers.close()
    assert not any(process.is_running() for process in family[:1])
