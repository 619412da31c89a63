from __future__ import annotations

import argparse

import pytest

from console.command_options import count, port


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("8000", 8000), ("65535", 65535)])
def test_a_port_is_read(text: str, number: int) -> None:
    assert port(text) == number


@pytest.mark.parametrize(
    "text", ["65536", "99999", "-1", "+1", "", " 80", "http", "8e3", "1_0", "٣", "9" * 5000]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="use a port from 1 to 65535, or 0 for a free one"):
        port(text)


@pytest.mark.parametrize("text", ["-2", "257", "two"])
def test_what_is_no_number_of_processes_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="use a whole number from 0 to 256"):
        count(text)
