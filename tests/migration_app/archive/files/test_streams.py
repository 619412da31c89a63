"""From a file's bytes to UTF-8."""

import gzip
import io

import pytest

from migration_app.archive.files import streams
from migration_app.archive.files.streams import ArchiveUnreadableError, ByteSource

LINES = '{"a": "é"}\n{"a": "🐟"}\n'


def everything(data: bytes) -> tuple[bytes, list[str]]:
    source = ByteSource(io.BytesIO(data))
    pieces = []
    while piece := source.chunk():
        pieces.append(piece)
    return b"".join(pieces), source.faults


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings_become_utf8(encoding: str) -> None:
    assert everything(LINES.encode(encoding)) == (LINES.encode(), [])


def test_gzip_is_known_by_its_first_bytes() -> None:
    assert everything(gzip.compress(LINES.encode())) == (LINES.encode(), [])


def test_gzip_members_are_read_one_behind_the_other() -> None:
    data = gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0\0"
    assert everything(data) == (b"one\ntwo\n", [])


def test_of_a_gzip_file_that_was_cut_off_what_came_before_is_kept() -> None:
    text = b"".join(b"line %d\n" % number for number in range(20_000))
    read, faults = everything(gzip.compress(text, mtime=0)[:-2000])
    assert text.startswith(read)
    assert len(read) > 50_000
    assert faults == ["The gzip file was cut off: everything before was read, the rest is missing."]


def test_a_damaged_gzip_file_says_so() -> None:
    data = bytearray(gzip.compress(b"abc" * 100, mtime=0))
    data[12] ^= 0xFF
    assert "damaged" in everything(bytes(data))[1][0]


def test_broken_utf16_says_so() -> None:
    assert "not valid UTF-16" in everything(b"\xff\xfe{\x00\x00\xd8{\x00")[1][0]


@pytest.mark.parametrize(("magic", "name"), [(b"PK\x03\x04", "ZIP"), (b"SQLite format 3\0", "SQLite")])
def test_other_formats_are_refused_by_name(magic: bytes, name: str) -> None:
    with pytest.raises(ArchiveUnreadableError, match=name):
        everything(magic + b"....................")


def test_a_line_over_the_limit_is_cut_and_the_next_one_is_whole() -> None:
    source = ByteSource(io.BytesIO(b"0123456789\nshort\n"))
    assert source.line(4) == (b"0123", True)
    assert source.line(10) == (b"short\n", False)
    assert source.line_number == 3


def test_of_a_line_over_the_limit_only_the_beginning_is_kept_in_memory() -> None:
    source = ByteSource(io.BytesIO(b"x" * 3_000_000 + b"\nshort\n"))
    line, too_long = source.line(1_000_000)
    assert (len(line), too_long) == (65_536, True)
    assert source.line(10) == (b"short\n", False)


def test_of_a_cut_off_gzip_file_what_was_unpacked_but_not_yet_handed_on_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1)
    read, faults = everything(gzip.compress(b"a" * 1000, mtime=0)[:-9])
    assert len(read) > 900
    assert "cut off" in faults[0]


def test_what_unpacks_to_far_more_than_it_is_ends_the_reading() -> None:
    with pytest.raises(ArchiveUnreadableError, match="more than 200 times its size"):
        everything(gzip.compress(b"x\n" * 30_000_000, mtime=0))


def test_several_gzip_members_are_measured_together() -> None:
    with pytest.raises(ArchiveUnreadableError, match="more than 200 times its size"):
        everything(gzip.compress(b"x\n" * 3_000_000, mtime=0) * 10)


def test_a_small_file_may_unpack_to_many_times_its_size() -> None:
    source = ByteSource(io.BytesIO(gzip.compress(b"x" * 15_000_000, mtime=0)))
    assert sum(len(piece) for piece in iter(source.chunk, b"")) == 15_000_000


@pytest.mark.parametrize("data", [b" \n" * 5_000_000, gzip.compress(b"\n" * 10_000_000, mtime=0)])
def test_the_watch_is_called_for_pieces_of_which_nothing_comes(data: bytes) -> None:
    calls: list[bool] = []
    source = ByteSource(io.BytesIO(data), lambda: calls.append(True))
    assert source.first_byte() == b""
    assert len(calls) >= 10


def test_a_gzip_file_with_a_wrong_checksum_is_read_to_its_end() -> None:
    data = b"high water\n" * 5
    packed = bytearray(gzip.compress(data, mtime=0))
    packed[-8] ^= 1
    source = ByteSource(io.BytesIO(bytes(packed)))
    assert b"".join(iter(source.chunk, b"")) == data
    (fault,) = source.faults
    assert "everything before was read" in fault


def test_a_gzip_file_of_which_nothing_can_be_read_says_so() -> None:
    for data in (b"\x1f\x8b and no more of gzip than that", gzip.compress(b"x", mtime=0)[:9]):
        source = ByteSource(io.BytesIO(data))
        assert source.chunk() == b""
        (fault,) = source.faults
        assert "nothing of it could be read" in fault
