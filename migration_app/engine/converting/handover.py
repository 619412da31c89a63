"""Objects handed from one process to another; sequences in temporary files keep their files.

Between a process and the child that it started, over a pair of sockets that nobody else has: what arrives is trusted.
Must not import Django: the child has none.
"""

from __future__ import annotations

import io
import pickle
import socket
from typing import Any

from migration_app.spill import TemporaryFile

_MOST_FILES = 64
_LENGTH = 8


def send(to: socket.socket, value: object) -> None:
    """Send an object. OSError if the other process is gone."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dump(value)
    with buffer.getbuffer() as data:
        descriptors = [file.descriptor for file in pickler.files]
        socket.send_fds(to, [len(data).to_bytes(_LENGTH)], descriptors)
        to.sendall(data)


def receive(at: socket.socket) -> Any:
    """Wait for an object. EOFError if the other process is gone."""
    try:
        header, descriptors, _flags, _address = socket.recv_fds(at, _LENGTH, _MOST_FILES)
        files = [TemporaryFile(descriptor) for descriptor in descriptors]
        header += _whole(at, _LENGTH - len(header))
        return _Unpickler(_whole(at, int.from_bytes(header)), files).load()
    except ConnectionError as error:
        raise EOFError from error


def _whole(at: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    with memoryview(data) as rest:
        done = 0
        while done < size:
            count = at.recv_into(rest[done:])
            if not count:
                raise EOFError
            done += count
    return bytes(data)


class _Pickler(pickle.Pickler):
    """Notes temporary files: their descriptors go beside the data."""

    def __init__(self, buffer: io.BytesIO, protocol: int) -> None:
        super().__init__(buffer, protocol)
        self.files: list[TemporaryFile] = []

    def persistent_id(self, found: Any) -> int | None:
        if not isinstance(found, TemporaryFile):
            return None
        if found not in self.files:
            self.files.append(found)
        return self.files.index(found)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, files: list[TemporaryFile]) -> None:
        super().__init__(io.BytesIO(data))
        self._files = files

    def persistent_load(self, number: int) -> TemporaryFile:
        return self._files[number]
