"""`python -m tests.chaos.soak --minutes N`: random kills and faults for so long, then what is wrong with the estate.

    python -m tests.chaos.soak [--minutes N] [--seed N] [--threads N] [--workers N]

Workers, PostgreSQL and Valkey are killed with -9 or told to stop, frozen, silenced, given wrong clocks, and the
sandbox fails in every way it knows (``chances``), while batches of threads are backfilled. After each batch all
is held against what the sandbox has stored (``invariants``). In every fourth round the target also forgets and
mixes up: there a person may have to look, but nothing that is verified may be false. The seed decides what is done,
not when the machine does it: a run can't be repeated exactly.
Exit code 1 if anything is wrong. Its servers are its own. Must not import Django.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time
from collections.abc import Sequence

from bench.children import Child
from tests.chaos.chances import EVENTS, REPEATS, SIZES, drawn, fault_drawn
from tests.chaos.killable import Servers, Workers, own_servers
from tests.chaos.silence import SilentProxy, silent_proxy
from tests.sandbox import RunningSandbox, running_sandbox

_PATIENCE_SECONDS = 600.0


class Soak:
    """One run: its processes, what it has done, and what it has found."""

    def __init__(
        self,
        *,
        servers: Servers,
        sandbox: RunningSandbox,
        proxy: SilentProxy,
        child: Child,
        workers: Workers,
        options: argparse.Namespace,
    ) -> None:
        self.done: collections.Counter[str] = collections.Counter()
        self.troubles: list[str] = []
        self._servers, self._sandbox, self._child, self._workers = servers, sandbox, child, workers
        self._proxy = proxy
        self._options = options
        self._chance = random.Random(options.seed)  # noqa: S311 - no secret is made of it
        self._end = time.monotonic() + options.minutes * 60
        self._numbers = 0
        self._rounds = 0
        self._losing = False
        self._repeats = ""

    def run(self) -> None:
        """Batch after batch until the time is over."""
        for _ in range(self._options.workers):
            self._workers.start()
        while time.monotonic() < self._end:
            self._child.ask("clear")
            self._sandbox.control.reset()
            self._round()

    def _round(self) -> None:
        self._rounds += 1
        self._losing = self._rounds % 4 == 0
        self._repeats = drawn(self._chance, REPEATS)
        self._calm()
        for size, weight in SIZES.items():
            count = max(1, self._options.threads * weight // sum(SIZES.values()))
            self._child.ask("seed", messages=size, first=self._numbers, count=count, snapshots=True)
            self._numbers += count
        batch = self._child.ask("enqueue", kind="backfill", window=self._chance.choice((4, 16, 64)))["batch"]
        give_up = max(self._end, time.monotonic()) + _PATIENCE_SECONDS
        while (state := self._child.ask("state", batch=batch)["state"]) != "finished":
            if time.monotonic() > give_up:
                self.troubles.append(f"batch {batch} is {state} and does not end")
                break
            if state == "paused":  # by the breaker, as it should
                self._calm()
                self._child.ask("resume", batch=batch)
                self.done["paused by the breaker"] += 1
            if time.monotonic() < self._end:
                self._happens()
            else:
                self._calm()
            self._wait(self._chance.uniform(0.5, 5.0))
        self._calm()
        while self._sandbox.control.state().late:
            self._wait(0.5)
        found = self._child.ask("troubles", losing=self._losing)
        self.troubles += found.pop("troubles")
        self.done.update(found)
        self.done["batches"] += 1
        sys.stdout.write(f"batch {self.done['batches']}: {found}, troubles so far: {len(self.troubles)}\n")
        sys.stdout.flush()

    def _happens(self) -> None:
        event = drawn(self._chance, EVENTS)
        self.done[event] += 1
        if event == "kill worker":
            self._workers.kill(self._chance.randrange(self._options.workers))
        elif event == "stop worker":
            self._workers.stop(self._chance.randrange(self._options.workers))
        elif event == "freeze worker":
            number = self._chance.randrange(self._options.workers)
            self._workers.freeze(number)
            self._wait(self._chance.uniform(1.0, 15.0))
            self._workers.thaw(number)
        elif event == "wrong clock":
            self._workers.kill(
                self._chance.randrange(self._options.workers), clock=self._chance.uniform(-900.0, 900.0)
            )
        elif event == "silence PostgreSQL":
            self._proxy.silence()
            self._wait(self._chance.uniform(0.0, 12.0))
            self._proxy.speak(forget=self._chance.random() < 0.5)
        elif event == "kill PostgreSQL":
            self._servers.kill_postgres()
            self._wait(self._chance.uniform(0.0, 4.0))
            self._servers.start_postgres()
        elif event == "kill Valkey":
            self._servers.kill_valkey()
            self._wait(self._chance.uniform(0.0, 4.0))
            self._servers.start_valkey()
        elif event == "fault":
            kind, match, options = fault_drawn(self._chance, losing=self._losing)
            self._sandbox.control.add_fault(kind, match, **options)
            self.done[kind] += 1
        else:
            self._calm()

    def _calm(self) -> None:
        self._sandbox.control.clear_faults()
        self._sandbox.control.add_fault("latency", "", seconds=0.02)
        if self._repeats:
            self._sandbox.control.add_fault(self._repeats, "POST .*/items")

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._workers.tend()
            time.sleep(0.1)


def main(arguments: Sequence[str]) -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=120, help="of a batch")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with (
        own_servers() as servers,
        running_sandbox() as sandbox,
        silent_proxy(servers.database_url) as (proxy, database_url),
    ):
        environment = {
            "CONSOLE_ENV_FILE": "",
            "DEBUG": "off",
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "SECRET_KEY": "soak-only",
            "LOG_LEVEL": "CRITICAL",
            "OPENAI_API_KEY": "sk-soak",
            "OPENAI_BASE_URL": sandbox.base_url,
            "OPENAI_ORG_ID": "",
            "OPENAI_PROJECT_ID": "",
            "LEASE_SECONDS": "5",
            "HTTP_TIMEOUT_SECONDS": "3",
            "DATABASE_ANSWER_SECONDS": "10",
            "MAX_ATTEMPTS": "1000",  # what is to be seen is that all arrives, whatever it takes
            "TARGET_REQUESTS_PER_MINUTE": "30000",
        }
        with Child("tests.chaos.soak_console", environment) as child:
            child.ask("migrate")
            # Only the workers go through the proxy: who looks at the estate must not fall silent with them.
            workers = Workers({**environment, "DATABASE_URL": database_url}, sweep_seconds=2)
            soak = Soak(
                servers=servers, sandbox=sandbox, proxy=proxy, child=child, workers=workers, options=options
            )
            try:
                soak.run()
            finally:
                workers.close()
    for what, count in soak.done.items():
        sys.stdout.write(f"{what}: {count}\n")
    sys.stdout.write(
        "\n".join(["Nothing is wrong." if not soak.troubles else "WRONG:", *soak.troubles]) + "\n"
    )
    return 1 if soak.troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
