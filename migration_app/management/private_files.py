"""Files that commands write: readable by their owner only, since they hold content or ids of users."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any


def private_open(path: Path, mode: str = "w", **options: Any) -> IO[Any]:
    """Open a file for writing that only its owner may read, also where it was there before. OSError."""
    return path.open(mode, **options) if _is_device(path) else _opened(path, mode, **options)


def _opened(path: Path, mode: str, **options: Any) -> IO[Any]:
    file: IO[Any] = open(path, mode, opener=_opener, **options)  # noqa: SIM115 - the caller closes it
    try:
        os.fchmod(file.fileno(), stat.S_IRUSR | stat.S_IWUSR)
    except PermissionError:
        file.close()  # somebody else's file, who let us write to it: they would read what we write
        raise
    return file


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR)


def _is_device(path: Path) -> bool:
    """Whether what is there is no file, such as /dev/stdout: it keeps its own mode."""
    return path.exists() and not path.is_file()
