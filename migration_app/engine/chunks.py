"""What is known of the chunks of one conversation, in order. Those of a large thread are in a file: they are many.

Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migration_app.contracts import compact_json, compact_json_read
from migration_app.models import Chunk
from migration_app.spill import Codec, Gathering

CHUNK_FIELDS = (
    "id",
    "conversation_id",
    "sequence",
    "first_item",
    "item_count",
    "digest",
    "state",
    "item_ids",
)
"""What the engine needs of a chunk."""
_CHUNK_BYTES = 300
_ID_BYTES = 80


def _encoded(chunk: Chunk) -> bytes:
    return compact_json([getattr(chunk, name) for name in CHUNK_FIELDS])


def _decoded(data: bytes) -> Chunk:
    return Chunk(**dict(zip(CHUNK_FIELDS, compact_json_read(data), strict=True)))


CHUNKS: Codec[Chunk] = Codec(_encoded, _decoded)
_IDS: Codec[Any] = Codec(compact_json, compact_json_read)


def chunk_weight(chunk: Chunk) -> int:
    """About how many bytes it takes."""
    return _CHUNK_BYTES + _ID_BYTES * len(chunk.item_ids)


class AppendedIds:
    """What the target called the items that a worker appended, by the place of the first one of each append.

    Appends are added in the order of their places.
    """

    def __init__(self) -> None:
        self.clear()

    def add(self, first_item: int, item_ids: tuple[str, ...]) -> None:
        """Add those of one append."""
        self._appends.append((first_item, item_ids), _ID_BYTES * len(item_ids))

    def clear(self) -> None:
        """Forget them."""
        self._appends: Gathering[tuple[int, tuple[str, ...]]] = Gathering(_IDS)

    def __iter__(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        return iter(self._appends.sequence())
