import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from console.management.commands.sandbox import Command
from console.sandbox.cli import SandboxUsageError, serve
from tests.sandbox import Control

from .api import thread

COMMAND = [sys.executable, "-m", "console.sandbox"]
ROOT = Path(__file__).parents[3]


def serve_with(seeds: list[Path], port: int = 0) -> None:
    serve(host="127.0.0.1", port=port, seeds=seeds, latency_ms=0, faults=[], write=print, note=print)


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_command_says_where_it_listens_and_ends_on_a_signal(
    tmp_path: Path, end: signal.Signals, code: int
) -> None:
    seed = tmp_path / "seed.jsonl"
    seed.write_text(f'{json.dumps(thread())}\n{{"id": "thread_2", "object": "thread.deleted"}}\n')
    options = ["--port", "0", "--seed", str(seed), "--faults", "error_503:GET /models"]
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            text = process.stdout.readline().split()
            assert text[:-1] == ["Sandbox", "listens", "on"]
            assert text[-1].endswith("/v1")
            assert Control(f"{text[-1].removesuffix('/v1')}/_sandbox").state().threads == 1
        finally:
            process.send_signal(end)
        assert process.communicate(timeout=10) == ("", f"{seed}: 1 of thread.deleted not served\n")
        assert process.returncode == code


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--faults", "flood"], "'flood' is no fault"),
        (["--seed", "nowhere.jsonl"], "can't read the seed"),
    ],
)
def test_bad_option_ends_with_its_reason(options: list[str], text: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--port", "0", *options], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert text in done.stderr


def test_bad_seed_is_named_with_its_line(tmp_path: Path) -> None:
    seed = tmp_path / "seed.jsonl"
    seed.write_text("{}\n")
    with pytest.raises(SandboxUsageError, match=r"seed\.jsonl, line 1"):
        serve_with([seed])


def test_taken_port_says_what_to_do() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SandboxUsageError, match="try --port 0"),
    ):
        serve_with([], port=taken.getsockname()[1])


def test_management_command_takes_the_same_options() -> None:
    options = vars(
        Command().create_parser("manage.py", "sandbox").parse_args(["--faults", "hang", "--port", "0"])
    )
    assert (options["port"], [rule.kind for rule in options["faults"]]) == (0, ["hang"])


def test_management_command_ends_with_the_reason() -> None:
    with pytest.raises(CommandError, match="can't read the seed"):
        Command().handle(host="127.0.0.1", port=0, seed=[Path("nowhere")], latency_ms=0, faults=[])
