"""What a file holds, told from its beginning."""

import gzip
import io

import pytest

from migration_app.archive.files.shape import Replayed, file_shape
from migration_app.archive.files.streams import ArchiveUnreadableError


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        (b'{"id": "thread_1", "object": "thread"}\n', "archive"),
        (b'[{"id": "thread_1", "object": "thread"}]', "archive"),
        (b'{\n "object": "list",\n', "archive"),
        (b'"{\\"object\\": \\"thread\\"}"\n', "archive"),
        (b'// a comment\n{"id": "thread_1"}', "archive"),
        (b'{"thread_id": "t", "messages": [{"role": "user", "content": "x"}]}\n', "transcripts"),
        (b"thread_id,role,content\nt,user,x\n", "transcript_csv"),
        (b"content;role;thread_id;created_at\n", "transcript_csv"),
        (b'"thread_id","role","content"\n', "transcript_csv"),
        (b"thread_id,user_ref\nthread_1,u\n", "thread_ids"),
        (b"thread_abc\nthread_def\n", "thread_ids"),
        (b" \n", "empty"),
        (b"", "empty"),
    ],
)
def test_shapes_are_told_apart(head: bytes, shape: str) -> None:
    assert file_shape(head) == shape
    assert file_shape(gzip.compress(head)) == shape


def test_a_stream_that_was_looked_at_is_whole_again() -> None:
    data = bytes(range(256)) * 3000
    replayed = Replayed(io.BytesIO(data))
    read = b""
    while piece := replayed.read(1000):
        read += piece
    assert read == data


def test_a_damaged_gzip_file_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(ArchiveUnreadableError, match="gzip file is damaged"):
        file_shape(b"\x1f\x8b and no more of gzip than that")


@pytest.mark.parametrize("head", [b"x" * 200_000, b"a,b\rc,d", b'say "hello', b"thread_1\rthread_2\r"])
def test_any_first_line_has_a_shape(head: bytes) -> None:
    assert file_shape(head) in {"archive", "thread_ids"}


def test_rows_that_end_with_bare_carriage_returns_are_known_for_what_they_are() -> None:
    assert file_shape(b"thread_id,role,content\rt,user,x\r") == "transcript_csv"
