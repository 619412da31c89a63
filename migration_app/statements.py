"""SQL statements out of the ``.sql`` file beside a module, each under its name.

A file is a row of statements. Each begins with its name between dashes and says in a comment what it does::

    -- fold --
    -- Add what has changed to the totals.
    WITH taken AS (…

Knows neither Django nor the database.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping

_NAME = re.compile(r"^-- (\w+) --\n", re.MULTILINE)


def statements_of(module: str) -> Mapping[str, str]:
    """Read the statements of a module, given by its ``__name__``, without the comments above them.

    ValueError for a repeated name, or a statement without a description.
    """
    package, _, name = module.rpartition(".")
    text = importlib.resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    before, *parts = _NAME.split(text)
    statements = {}
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        statement = re.sub(r"\A(--.*\n)+", "", part).strip()
        if title in statements or not statement or statement == part.strip():
            raise ValueError(f"{title} in {name}.sql needs a name of its own, a comment and a statement.")
        statements[title] = statement
    if before or not statements:
        raise ValueError(f"{name}.sql does not begin with the name of a statement.")
    return statements
