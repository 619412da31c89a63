"""Types for options of the project's commands, for argparse: their errors say what a value must be."""

import argparse

_HIGHEST_PORT = 65_535


def port(text: str) -> int:
    """Read a TCP port; 0 stands for a free one."""
    return _between(text, _HIGHEST_PORT, "use a port from 1 to 65535, or 0 for a free one")


def count(text: str) -> int:
    """Read how many processes there shall be."""
    return _between(text, 256, "use a whole number from 0 to 256")


def _between(text: str, highest: int, advice: str) -> int:
    # int() takes digits of every script and a sign, and gives up above some thousand digits.
    if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and int(text) <= highest:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not possible: {advice}")
