"""JSON text sequences: what goes in comes out, byte by byte."""

import pytest

from migration_app.archive.sequence import (
    SequenceDamagedError,
    payload_compress,
    payload_decompress,
    payload_sha256,
    sequence_pack,
    sequence_unpack,
)


def test_documents_come_out_with_the_bytes_that_went_in() -> None:
    documents = [b'{"b": 1,  "a": "\\u0000"}', b'{\n "x": 2\n}', '{"é": "🐟"}'.encode()]
    assert list(sequence_unpack(sequence_pack(documents))) == documents


def test_an_empty_payload_holds_no_document() -> None:
    assert list(sequence_unpack(sequence_pack([]))) == []


def test_a_record_separator_inside_a_document_is_refused() -> None:
    with pytest.raises(SequenceDamagedError, match="0x1e"):
        sequence_pack([b'{"a": "\x1e"}'])


@pytest.mark.parametrize("payload", [b'{"a": 1}\n', b'\x1e{"a": 1}'])
def test_bytes_that_are_no_sequence_are_refused(payload: bytes) -> None:
    with pytest.raises(SequenceDamagedError):
        list(sequence_unpack(payload))


def test_a_compressed_payload_is_restored() -> None:
    assert payload_decompress(payload_compress(b"abc" * 1000)) == b"abc" * 1000


def test_a_damaged_stored_payload_is_named() -> None:
    with pytest.raises(SequenceDamagedError, match="decompressed"):
        payload_decompress(b"no zlib")


def test_the_digest_is_sha256_in_hexadecimal() -> None:
    assert payload_sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
