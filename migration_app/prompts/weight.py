"""How many values a prompt's file holds, counted before a parser makes objects of them.

A parser makes a kilobyte of each value of a module, and a tenth of that of a value in JSON: a file of a few megabytes
could take gigabytes of the process that reads it, which serves other people too. Pure; imports nothing of the project.
"""

from __future__ import annotations

import re

MOST_VALUES = 100_000
"""That a file may hold: about 140 MB in a parser. 128 tools with 60 fields each are two thirds of it."""

_JOINED = 16
"""So many texts that follow each other without a comma, which become one value, weigh as one."""

# What makes no value; a text's beginning; a word, with the mark of a text whose kind is none of those; any other sign.
_PIECE = re.compile(
    r"""(?P<light>[\s,:)\]}\\]+|\#[^\n]*)|[rRbBuU]{0,2}(?P<quote>\"{3}|'{3}|"|')|\w+(?P<marked>["']?)|.""",
    re.DOTALL,
)
_REST = {
    quote: re.compile(rf"(?:[^\\{quote[0]}{newline}]|\\.{more})*+{quote}", re.DOTALL)
    for quote, newline, more in (
        ('"', r"\n", ""),
        ("'", r"\n", ""),
        ('"""', "", r'|"(?!"")'),
        ("'''", "", r"|'(?!'')"),
    )
}


class TextOpenError(ValueError):
    """A text begins and does not end. ``line`` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def values_exceed(text: str, most: int) -> bool:
    """Whether Python or JSON source holds more values than these. TextOpenError where a text has no end.

    Counts too much rather than too little: signs that are neither text nor word count one each.
    """
    weight, position, after_text = 0, 0, False
    while position < len(text):
        piece = _PIECE.match(text, position)
        assert piece is not None  # noqa: S101 - the last choice takes any sign
        position = piece.end()
        quote = piece["quote"]
        if quote:
            rest = _REST[quote].match(text, position)
            if rest is None:
                raise TextOpenError(text.count("\n", 0, position) + 1)
            position = rest.end()
            weight += 1 if after_text else _JOINED
            after_text = True
            continue
        if piece["marked"]:
            # Code may hide in such a text: let every sign from here on be a value.
            return weight + (len(text) - position) * _JOINED > most * _JOINED
        if piece["light"] is None:
            weight, after_text = weight + _JOINED, False
        elif not piece["light"].isspace():
            after_text = after_text and piece["light"].startswith("#")
        if weight > most * _JOINED:
            return True
    return False
