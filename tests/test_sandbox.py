import threading
import time
from pathlib import Path

import httpx2
import pytest

from console.sandbox.seed import SeedError
from tests.console.sandbox.api import thread
from tests.sandbox import running_sandbox


def test_two_sandboxes_run_side_by_side_and_know_nothing_of_each_other() -> None:
    with running_sandbox(objects=[thread()]) as first, running_sandbox() as second:
        assert first.base_url != second.base_url
        assert (first.control.state().threads, second.control.state().threads) == (1, 0)


def test_sandbox_begins_with_faults() -> None:
    with running_sandbox(faults="error_503:GET /models") as running:
        assert [rule["kind"] for rule in running.control.faults()] == ["error_503"]


def test_sandbox_ends_while_a_request_hangs() -> None:
    with running_sandbox(faults="hang") as running:
        broken: list[Exception] = []

        def ask() -> None:
            with httpx2.Client(trust_env=False, timeout=30) as client:
                try:
                    client.get(f"{running.base_url}/models")
                except httpx2.TransportError as error:
                    broken.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while not running.control.requests():  # until the request has arrived
            time.sleep(0.005)
    asking.join(10)
    assert [isinstance(error, httpx2.TimeoutException) for error in broken] == [False]


def test_seed_that_can_not_be_read_stops_the_start(tmp_path: Path) -> None:
    seed = tmp_path / "seed.jsonl"
    seed.write_text("{")
    with pytest.raises(SeedError), running_sandbox(seeds=[seed]):
        raise AssertionError("it started")
