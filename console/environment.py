"""Reading the environment strictly: what is misspelt stops the start instead of meaning something else.

Used by the settings only; imports nothing of the project.
"""

from __future__ import annotations

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def strict_bool(env: environ.Env, name: str, *, default: bool) -> bool:
    """Read a boolean. django-environ itself reads any unknown word ("flase") as False.

    Raises ImproperlyConfigured on a word that is neither true nor false.
    """
    word = env.str(name, default="on" if default else "off").strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {word!r}: use one of {', '.join(sorted(_TRUE | _FALSE))}.")


def positive_int(env: environ.Env, name: str, *, default: int) -> int:
    """Read a whole number above zero. Raises ImproperlyConfigured on anything else."""
    text = env.str(name, default=str(default)).strip()
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ImproperlyConfigured(f"{name} is {text!r}: use a whole number above zero.")
    return int(text)
