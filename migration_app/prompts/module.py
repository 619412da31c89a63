"""A prompt as a Python module: written for applications, and read back without being run.

The module is plain: constants, one function, nothing beyond the standard library. Its bytes depend on nothing but
the version, so a repository's diff shows real changes only: ASCII, sorted keys, one string literal a line of text.
Pure; imports nothing of the application but ``contracts`` and ``conversion``. Must not import models.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import keyword
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.specs import spec_text, spec_variables
from migration_app.prompts.weight import MOST_VALUES, TextOpenError, values_exceed

_INDENT = "    "
_DEEPEST = 60
"""Python's tokenizer takes 200 brackets inside each other; deeper values are written as JSON in a string."""

_LIBRARY = """
    abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64
    bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop
    collections colorsys compileall compression concurrent configparser contextlib contextvars copy
    copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email
    encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools
    gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http idlelib
    imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale
    logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing
    netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb
    pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile profiling
    pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib
    resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd
    smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat
    statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile
    telnetlib tempfile termios textwrap this threading time timeit tkinter token tokenize tomllib trace
    traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid venv
    warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport
    zlib zoneinfo
"""
_OF_THE_LIBRARY = frozenset(_LIBRARY.split())
"""Top-level modules of the standard library, Python 3.11 to 3.14: a file of such a name would hide the real one from
modules beside it."""
_OF_WINDOWS = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{name}{n}" for name in ("com", "lpt") for n in range(10)}
)

_HEAD = '''\
"""The prompt {slug}, version {version}: keyword arguments for ``client.responses.create``.

Written by the migration console (manage.py export_prompts). The constants may be edited and brought back with
manage.py import_prompts; the functions are written again by each export.
"""

# fmt: off
from __future__ import annotations

import copy
import json
import re
from typing import Any, Final

'''
_TAIL = '''\

_PLACEHOLDER: Final = re.compile(r"\\{{\\{{\\s*([A-Za-z_][A-Za-z0-9_]{{0,63}})\\s*\\}}\\}}")


def create_kwargs({parameters}) -> dict[str, Any]:
    """Return the keyword arguments, new ones for each call; the parameters fill the placeholders."""
    return _kwargs({values})


def _kwargs(values: dict[str, str]) -> dict[str, Any]:
    kwargs: dict[str, Any] = copy.deepcopy(SETTINGS)
{parts}    return kwargs
'''
_FILLED = 'kwargs["instructions"] = _PLACEHOLDER.sub(lambda found: values[found[1]], INSTRUCTIONS)'
_PARTS = {
    "MODEL": 'kwargs["model"] = MODEL',
    "INSTRUCTIONS": _FILLED,
    "TOOLS": 'kwargs["tools"] = copy.deepcopy(TOOLS)',
}
_TYPES: dict[str, tuple[str, type]] = {
    "MODEL": ("str", str),
    "INSTRUCTIONS": ("str", str),
    "TOOLS": ("list[dict[str, Any]]", list),
}
_FACTS: dict[str, type] = {"SLUG": str, "NAME": str, "ASSISTANT_ID": str, "VERSION": int, "SHA256": str}
_IMPORTED = frozenset({"copy", "json", "re"})


@dataclasses.dataclass(frozen=True, slots=True)
class PromptFacts:
    """Whose spec it is. ``version`` and ``sha256`` are those of the version that was exported; 0 and "" if unknown."""

    slug: str
    name: str = ""
    assistant_id: str = ""
    version: int = 0
    sha256: str = ""


class ModuleUnreadableError(ValueError):
    """A module is not as ``module_text`` writes it. Says where, for its editor, without content."""


def module_stems(slugs: Iterable[str]) -> dict[str, str]:
    """File names without .py for these slugs: importable and distinct, also if case is ignored."""
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for slug in sorted(slugs):
        stem = re.sub(r"[^a-z0-9_]", "_", slug.lower())
        if keyword.iskeyword(stem) or stem in _OF_THE_LIBRARY | _OF_WINDOWS or stem.startswith("__"):
            stem += "_"
        if not stem or stem[0].isdigit():
            stem = f"_{stem}"
        if stem in taken:
            stem = f"{stem}_{hashlib.sha256(slug.encode()).hexdigest()[:8]}"
        taken.add(stem)
        stems[slug] = stem
    return stems


def module_text(facts: PromptFacts, spec: JsonObject) -> str:
    """Write the module. ValueError if the spec holds what JSON can't represent."""
    spec_text(spec)
    facts_of = dataclasses.asdict(facts)
    lines = [_HEAD.format(slug=facts.slug, version=facts.version)]
    lines += [
        f"{name}: Final[{kind.__name__}] = {_literal(facts_of[name.lower()])}\n"
        for name, kind in _FACTS.items()
    ]
    constants, rest = _constants(spec)
    for name, value in constants.items():
        lines.append(f"\n{name}: Final[{_TYPES[name][0]}] = {_literal(value)}\n")
    lines.append(f"\nSETTINGS: Final[dict[str, Any]] = {_literal(rest)}\n")
    parameters = _parameters(sorted(spec_variables(spec)))
    lines.append(
        _TAIL.format(
            parameters=_rows(0, "*", *(f"{given}: str" for given in parameters.values()))
            if parameters
            else "",
            values="{" + _rows(1, *(f'"{name}": {given}' for name, given in parameters.items())) + "}",
            parts="".join(f"{_INDENT}{_PARTS[name]}\n" for name in constants),
        )
    )
    text = "".join(lines)
    # Tested on the values as written, at their depth.
    written = any(_is_deep(value, 0) for value in (*constants.values(), rest))
    return text if written else text.replace("\nimport json\n", "\n", 1)


def module_read(text: str) -> tuple[PromptFacts, JsonObject]:
    """Read what ``module_text`` wrote and somebody may have edited; nothing of it is run. ModuleUnreadableError."""
    try:
        too_many = values_exceed(text, MOST_VALUES)
    except TextOpenError as error:
        raise ModuleUnreadableError(f"line {error.line}: it is not Python (a text has no end)") from None
    if too_many:
        raise ModuleUnreadableError("it holds more values than any prompt")
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise ModuleUnreadableError(f"line {error.lineno}: it is not Python ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ModuleUnreadableError(f"it is not Python ({type(error).__name__})") from None
    try:
        found = dict(_assigned(body))
    except RecursionError:
        raise ModuleUnreadableError("its values are nested too deeply") from None
    facts: dict[str, Any] = {name: found.pop(name) for name in _FACTS if name in found}
    for name, kind in _FACTS.items():
        if name in facts and type(facts[name]) is not kind:
            raise ModuleUnreadableError(f"{name}: it must be {'a text' if kind is str else 'a whole number'}")
    if not facts.get("SLUG"):
        raise ModuleUnreadableError("SLUG: it is missing, so the spec's prompt is unknown")
    spec = found.pop("SETTINGS", {})
    if not isinstance(spec, dict):
        raise ModuleUnreadableError("SETTINGS: it must be a dictionary")
    for name, value in found.items():
        if name.lower() in spec:
            raise ModuleUnreadableError(f"SETTINGS: {name.lower()} is in {name} already")
        spec[name.lower()] = value
    return PromptFacts(**{name.lower(): value for name, value in facts.items()}), spec


def _constants(spec: JsonObject) -> tuple[dict[str, object], JsonObject]:
    """What stands in a constant of its own, and the rest. What has not the usual type belongs to the rest."""
    constants = {
        name: spec[name.lower()]
        for name, (_words, kind) in _TYPES.items()
        if isinstance(spec.get(name.lower()), kind)
        and (name != "TOOLS" or all(isinstance(tool, dict) for tool in spec["tools"]))
    }
    return constants, {
        key: value for key, value in spec.items() if key.upper() not in constants or key != key.lower()
    }


def _parameters(variables: Iterable[str]) -> dict[str, str]:
    """A parameter for each variable: its name, made longer where Python or the module has taken it."""
    parameters: dict[str, str] = {}
    for name in variables:
        given = name
        while keyword.iskeyword(given) or given in ("_kwargs", "__debug__") or given in parameters.values():
            given += "_"
        parameters[name] = given
    return parameters


def _rows(depth: int, *rows: str) -> str:
    """Rows between brackets, one a line; nothing for nothing."""
    inner, outer = _INDENT * (depth + 1), _INDENT * depth
    return "".join(f"\n{inner}{row}," for row in rows) + f"\n{outer}" if rows else ""


def _literal(value: object, depth: int = 0) -> str:
    """A JSON value as Python writes it, over several lines where it is made of several."""
    if isinstance(value, str):
        return _text_literal(value, depth)
    if isinstance(value, dict | list) and value:
        if depth >= _DEEPEST:
            return f"json.loads({_quoted(json.dumps(value, ensure_ascii=True, sort_keys=True, allow_nan=False))})"
        inner = _INDENT * (depth + 1)
        if isinstance(value, dict):
            rows = [f"{_quoted(key)}: {_literal(value[key], depth + 1)}" for key in sorted(value)]
        else:
            rows = [_literal(entry, depth + 1) for entry in value]
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        return opening + "".join(f"\n{inner}{row}," for row in rows) + f"\n{_INDENT * depth}{closing}"
    return repr(value)


def _is_deep(value: object, depth: int) -> bool:
    """Whether ``_literal`` writes some of it as JSON in a string."""
    if not isinstance(value, dict | list) or not value:
        return False
    entries = value.values() if isinstance(value, dict) else value
    return depth >= _DEEPEST or any(_is_deep(entry, depth + 1) for entry in entries)


def _text_literal(value: str, depth: int) -> str:
    """One literal a line, so that a diff goes line by line. Only \\n ends a line: other marks are escaped inside."""
    lines = value.split("\n")
    if len(lines) == 1 or (len(lines) == 2 and not lines[1]):
        return _quoted(value)
    pieces = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    inner = _INDENT * (depth + 1)
    return "(" + "".join(f"\n{inner}{_quoted(piece)}" for piece in pieces) + f"\n{_INDENT * depth})"


_ESCAPED = re.compile(r"[^ !#-\[\]-~]")
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, object]]:
    """The module's constants with their values; whatever else is not the module's own is refused."""
    seen: set[str] = set()
    for position, statement in enumerate(body):
        if isinstance(statement, ast.Expr) and position == 0 and isinstance(statement.value, ast.Constant):
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom) and _is_own_import(statement):
            continue
        if isinstance(statement, ast.FunctionDef) and _is_own_function(statement):
            continue
        target: ast.expr | None = statement.target if isinstance(statement, ast.AnnAssign) else None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if not isinstance(target, ast.Name) or value is None:
            raise ModuleUnreadableError(
                f"line {statement.lineno}: only the constants of an exported module can be changed"
            )
        if target.id == "_PLACEHOLDER":
            continue
        if target.id not in {"SETTINGS", *_FACTS, *_TYPES}:
            raise ModuleUnreadableError(f"line {statement.lineno}: {target.id[:64]} is none of its constants")
        if target.id in seen:
            raise ModuleUnreadableError(f"line {statement.lineno}: {target.id} is there twice")
        seen.add(target.id)
        yield target.id, _value(value, target.id)


def _is_own_import(statement: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module in ("__future__", "typing") and not statement.level
    return all(name.name in _IMPORTED for name in statement.names)


def _is_own_function(function: ast.FunctionDef) -> bool:
    """Whether it is one that each export writes again; a changed one would be lost, so it is refused."""
    if function.name == "_kwargs":
        lines = [ast.unparse(line) for line in function.body]
        own = {ast.unparse(ast.parse(part)) for part in _PARTS.values()}
        return lines[:1] + lines[-1:] == [
            "kwargs: dict[str, Any] = copy.deepcopy(SETTINGS)",
            "return kwargs",
        ] and own.issuperset(lines[1:-1])
    last = function.body[-1]
    call = last.value if isinstance(last, ast.Return) else None
    return (
        function.name == "create_kwargs"
        and len(function.body) <= 2
        and isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "_kwargs"
    )


def _value(node: ast.expr, place: str) -> object:
    """What a literal says, if JSON could say it too."""
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str | int | float)):
        if isinstance(node.value, float) and not math.isfinite(node.value):
            raise ModuleUnreadableError(f"{place}: the number is too large")
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _value(node.operand, place)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number
    if isinstance(node, ast.List):
        return [_value(entry, f"{place}[{index}]") for index, entry in enumerate(node.elts)]
    if isinstance(node, ast.Dict):
        return dict(_pairs(node, place))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "json.loads" and len(node.args) == 1:
        return _loaded(_value(node.args[0], place), place)
    raise ModuleUnreadableError(
        f"{place}, line {node.lineno}: only plain texts, numbers, True, False, None, lists and dictionaries are read"
    )


def _pairs(node: ast.Dict, place: str) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    for name, value in zip(node.keys, node.values, strict=True):
        key = _value(name, place) if name is not None else None
        if not isinstance(key, str):
            raise ModuleUnreadableError(
                f"{place}, line {node.lineno}: the keys of a dictionary must be texts"
            )
        shown = ascii(key[:64])[1:-1]
        if key in seen:
            raise ModuleUnreadableError(f"{place}: the key {shown} is there twice")
        seen.add(key)
        yield key, _value(value, f"{place}.{shown}")


def _loaded(text: object, place: str) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        raise ModuleUnreadableError(f"{place}: the text in json.loads is not JSON") from None
