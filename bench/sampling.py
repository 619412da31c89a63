"""Where the CPU goes, by function and by Python thread, looked at a few hundred times a second.

Costs a few per cent, where cProfile would double the time and see one thread only. Standard library only.
"""

from __future__ import annotations

import collections
import sys
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType

_INTERVAL_SECONDS = 0.003
_SWITCH_SECONDS = 0.0001
_LINES = 45


class Sampling:
    """`with Sampling() as samples: …`, then `samples.write(path)`. Threads must outlive a sample or two."""

    def __init__(self) -> None:
        self._own: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self._within: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self._cpu: dict[int, float] = {}
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="sampler", daemon=True)

    def __enter__(self) -> Sampling:
        # Else the interpreter lets the sampler in mostly where a thread waits or sends, and blames those places.
        self._switch_seconds = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()
        sys.setswitchinterval(self._switch_seconds)

    def _sample(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
            for thread in threading.enumerate():
                frame = frames.get(thread.ident or 0)
                if thread is not self._sampler and frame is not None and thread.ident is not None:
                    self._count(thread.name, frame, self._used(thread.ident))

    def _used(self, ident: int) -> float:
        """CPU seconds of a thread since it was last looked at."""
        try:
            now = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:  # it has just ended
            return 0.0
        used = now - self._cpu.get(ident, now)
        self._cpu[ident] = now
        return used

    def _count(self, name: str, frame: FrameType, used: float) -> None:
        if not used:
            return
        seen = set()
        self._own[name][_place(frame)] += used  # type: ignore[assignment]  # a Counter of seconds
        walk: FrameType | None = frame
        while walk is not None:
            seen.add(_place(walk))
            walk = walk.f_back
        for place in seen:
            self._within[name][place] += used  # type: ignore[assignment]  # a Counter of seconds

    def write(self, path: Path, *, threads: int) -> None:
        """Write milliseconds of CPU for each of ``threads`` migrated threads, by function."""
        lines = []
        for name, own in sorted(self._own.items(), key=lambda entry: -sum(entry[1].values())):
            total = sum(own.values())
            lines.append(f"=== {name}: {total / threads * 1000:.2f} ms a thread ({total:.2f} s)")
            for title, counts in (
                ("in the function itself", own),
                ("with what it calls", self._within[name]),
            ):
                lines.append(f"  -- {title}")
                lines += [
                    f"  {used / threads * 1000:8.3f} ms {used / total:6.1%}  {place}"
                    for place, used in counts.most_common(_LINES)
                ]
        path.write_text("\n".join(lines) + "\n")


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_qualname}"
