"""Which models refuse which settings: the one table, and its sources.

Only names that the vendor gave are judged: a deployment or compatible server may call its models anything, and
nothing is left out on a guess. Sources, as of 2026-11: the official description (``Reasoning``: "gpt-5 and o-series
models only"; the names are those of ``ModelIdsResponses``), the service's own 400 "Unsupported parameter:
'temperature' is not supported with this model" (reported for o1, o3, o4-mini and gpt-5), and the vendor's guides to
gpt-5.1 and later, which take ``temperature`` and ``top_p`` only with the reasoning effort none (the default of
gpt-5.1 to gpt-5.4). Imports nothing of the project.
"""

from __future__ import annotations

import re

SAMPLING = ("temperature", "top_p")

_REASONS = re.compile(
    r"(o[134]|codex-mini|computer-use)(-.*)?"
    r"|gpt-5(-(?!chat).*)?"
    r"|gpt-5\.\d+-(pro|codex).*"
)
"""Always reason: sampling settings are refused at any effort."""
_MAY_REASON = re.compile(r"gpt-5\.(\d+)(-(?!chat).*)?")
"""Take sampling settings with the effort none; up to gpt-5.4 that is also the default."""
_NEVER_REASONS = re.compile(r"gpt-3\.5.*|gpt-4.*|chatgpt-4o.*|gpt-5-chat.*")
"""Refuse ``reasoning``."""


def refuses_sampling(model: str, effort: object) -> bool:
    """Whether a model refuses temperature and top_p at this reasoning effort (None: left open)."""
    name = _base(model)
    if _REASONS.fullmatch(name):
        return True
    may = _MAY_REASON.fullmatch(name)
    if may is None:
        return False
    return effort != "none" if effort is not None else int(may[1]) > 4


def refuses_reasoning(model: str) -> bool:
    """Whether a model refuses a reasoning effort."""
    return _NEVER_REASONS.fullmatch(_base(model)) is not None


def _base(model: str) -> str:
    """The model that a fine-tuned one (``ft:gpt-4o:harbour::1``) was made from, else itself."""
    return model[3:].partition(":")[0] if model.startswith("ft:") else model
