"""The small wrongs that `tests.mutation.mutants` tries: one change each to a module's syntax tree.

A comparison swapped, a condition negated, a constant changed, an argument dropped, a statement or an early return
removed, a clause of an SQL statement changed, also in the ``.sql`` file beside a module. Never docstrings, annotations,
decorators, log calls, comments or prose: no test should hold those. Imports only the standard library.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Iterator

KINDS = ("comparison", "condition", "constant", "name", "argument", "statement", "return", "sql")

_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_LOGS = frozenset({"logger", "log", "_log", "logging"})
_KEPT = frozenset({"strict", "help_text", "placeholder"})
"""Arguments that change nothing unless there is a mistake elsewhere, and prose beside a field."""
_NAME = re.compile(r"[a-z][a-z0-9_.:]*|[A-Z][A-Z_]*")
"""Strings that are stored, sent or compared: names of columns, fields, verbs and states. The rest is prose."""
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|FROM|SET|JOIN|CONFLICT)\b")
_SQL_CHANGES = (
    (re.compile(r"(?m)^[ \t]*\w+ = [^\n]*,\n"), ""),  # one column of a SET
    (re.compile(r"\b\w+ = (?:excluded|EXCLUDED)\.\w+, "), ""),
    (re.compile(r" AND (?!pg_)[^\n]*(?=\n|$)"), ""),  # a condition, to the end of its line
    (re.compile(r" (?:<=|>=) "), " = "),
    (re.compile(r" < "), " <= "),
    (re.compile(r" > "), " >= "),
    (re.compile(r"\bIS NOT NULL\b"), "IS NULL"),
    (re.compile(r"\bIS NULL\b"), "IS NOT NULL"),
    (re.compile(r" DESC\b"), ""),
    (re.compile(r"\bNOT EXISTS\b"), "EXISTS"),
    (re.compile(r" SKIP LOCKED\b"), ""),
    (re.compile(r"'([a-z_]+)'(?= THEN| ELSE|,? now)"), r"'\1_'"),
)
_SHOWN = 90


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one module.

    ``number`` counts the module's changes; ``first`` and ``last`` are the lines by whose run a test reaches it,
    ``None`` where that is the import.
    """

    path: str
    number: int
    kind: str
    line: int
    change: str
    first: int | None
    last: int | None

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.kind}: {self.change}"


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every change there is to a module or its statements, in the order of its lines."""
    if is_sql(path):
        return [
            Mutant(path, number, "sql", line, shown, None, None)
            for number, (line, shown, _text) in enumerate(_changed_statements(source))
        ]
    return [
        Mutant(path, number, change.kind, change.line, change.text, change.first, change.last)
        for number, change in enumerate(_changes(ast.parse(source)))
    ]


def mutated(source: str, mutant: Mutant) -> str:
    """The source with that change. Comments and layout of a module are lost."""
    if is_sql(mutant.path):
        return _changed_statements(source)[mutant.number][2]
    tree = ast.parse(source)
    _changes(tree)[mutant.number].apply()
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def is_sql(path: str) -> bool:
    """Whether it is a file of statements."""
    return path.endswith(".sql")


def _changed_statements(source: str) -> list[tuple[int, str, str]]:
    """The line of each change to a file of statements, what it is, and the file with it. Comments are left alone."""
    lines = source.splitlines()
    found = ((above + 1, shown, text) for above, shown, text in _other_sql(source))
    return sorted(change for change in found if not lines[change[0] - 1].lstrip().startswith("--"))


@dataclasses.dataclass(frozen=True, slots=True)
class _Change:
    kind: str
    line: int
    text: str
    first: int | None
    last: int | None
    apply: Callable[[], None]


@dataclasses.dataclass(frozen=True, slots=True)
class _Where:
    """What surrounds a node: its statement's first line, inside of a function, of an f-string."""

    first: int = 0
    in_function: bool = False
    in_text: bool = False
    last_of_function: ast.stmt | None = None


def _changes(tree: ast.Module) -> list[_Change]:
    return list(_Finder().of_block(tree, "body", _Where()))


class _Finder:
    """Walks a module and yields its changes."""

    def of_block(self, owner: ast.AST, field: str, where: _Where) -> Iterator[_Change]:
        for statement in list(getattr(owner, field)):
            if not _is_left_alone(statement):
                yield from self._of_statement(owner, field, statement, where)

    def _of_statement(
        self, owner: ast.AST, field: str, statement: ast.stmt, where: _Where
    ) -> Iterator[_Change]:
        where = dataclasses.replace(where, first=statement.lineno)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for default in [*statement.args.defaults, *statement.args.kw_defaults]:
                if default is not None:
                    yield from self._of_child(statement.args, default, where)
            inside = dataclasses.replace(where, in_function=True, last_of_function=statement.body[-1])
            yield from self.of_block(statement, "body", inside)
            return
        if (kind := _removed_as(statement, where)) is not None:

            def remove() -> None:
                block = getattr(owner, field)
                block[block.index(statement)] = ast.Pass()

            yield _change(kind, statement, where, f"{_short(statement)} → pass", remove)
        yield from self._of_parts(statement, where)

    def _of_parts(self, node: ast.AST, where: _Where) -> Iterator[_Change]:
        """The changes below a node: its blocks and its expressions."""
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "decorator_list", "returns", "bases", "format_spec"}:
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield from self.of_block(node, field, where)
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._of_child(node, child, where)

    def _of_child(self, parent: ast.AST, node: ast.AST, where: _Where) -> Iterator[_Change]:
        if isinstance(node, ast.expr):
            yield from self._of_expression(parent, node, where)
        if isinstance(node, ast.JoinedStr):
            where = dataclasses.replace(where, in_text=True)
        elif isinstance(node, ast.Lambda):
            where = dataclasses.replace(where, in_function=True)
        if not (isinstance(node, ast.Call) and _is_log(node)):
            yield from self._of_parts(node, where)

    def _of_expression(self, parent: ast.AST, node: ast.expr, where: _Where) -> Iterator[_Change]:
        for kind, new in _others(parent, node, where):
            shown = f"{_short(node)} → {_short(new)}"
            yield _change(kind, node, where, shown, _replacing(parent, node, new))
        if isinstance(node, ast.Call) and not _is_log(node):
            for dropped, call in _with_an_argument_less(node):
                shown = f"{_short(node.func)}(…) without {_short(dropped)}"
                yield _change("argument", dropped, where, shown, _replacing(parent, node, call))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.search(node.value):
            for below, shown, text in _other_sql(node.value):
                change = _change("sql", node, where, shown, _replacing(parent, node, ast.Constant(text)))
                yield dataclasses.replace(change, line=change.line + below)


def _change(
    kind: str, node: ast.expr | ast.stmt | ast.keyword, where: _Where, text: str, apply: Callable[[], None]
) -> _Change:
    first, last = (where.first, node.end_lineno) if where.in_function else (None, None)
    return _Change(kind, node.lineno, text, first, last, apply)


def _others(parent: ast.AST, node: ast.expr, where: _Where) -> Iterator[tuple[str, ast.expr]]:
    """What may stand in the place of an expression, and the kind of change that it is."""
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                ops = [*node.ops]
                ops[place] = _SWAPPED[type(operator)]()
                yield "comparison", ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "condition", ast.BoolOp(other, node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "condition", node.operand
        case ast.Constant():
            for kind, value in _other_values(node.value, where):
                yield kind, ast.Constant(value)
    if _is_condition(parent, node) and not isinstance(node, ast.Compare | ast.UnaryOp | ast.Constant):
        yield "condition", ast.UnaryOp(ast.Not(), node)


def _is_left_alone(statement: ast.stmt) -> bool:
    """Docstrings, log calls, `__all__`, and what only a type checker reads."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call() as call):
            return _is_log(call)
        case ast.Assign(targets=[ast.Name(id="__all__" | "logger" | "_log")]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def _is_log(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in _LOGS
    )


def _removed_as(statement: ast.stmt, where: _Where) -> str | None:
    """Under which kind this statement is removed, or None: a name would be missing, or it ends its function."""
    match statement:
        case ast.Return() if statement is not where.last_of_function:
            return "return"
        case ast.Expr(value=ast.Call() | ast.Await()):
            return "statement"
        case ast.Raise() | ast.Delete() | ast.Continue() | ast.Break() | ast.AugAssign():
            return "statement"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return "statement"
    return None


def _is_condition(parent: ast.AST, node: ast.expr) -> bool:
    if isinstance(parent, ast.If | ast.While | ast.IfExp):
        return parent.test is node
    return isinstance(parent, ast.comprehension) and node in parent.ifs


def _other_values(value: object, where: _Where) -> Iterator[tuple[str, bool | int | float | str]]:
    match value:
        case bool():
            yield "constant", not value
        case int() | float():
            yield "constant", value + 1
        case str() if not where.in_text and (not value or _NAME.fullmatch(value)):
            yield "name", f"{value}_" if value else "x"


def _other_sql(text: str) -> Iterator[tuple[int, str, str]]:
    """How many lines below its beginning what is changed, and the statement with it."""
    for pattern, new in _SQL_CHANGES:
        for found in pattern.finditer(text):
            shown = f"{found.group().strip()} → {found.expand(new).strip() or 'nothing'}"
            changed = text[: found.start()] + found.expand(new) + text[found.end() :]
            yield text.count("\n", 0, found.start()), shown, changed


def _with_an_argument_less(call: ast.Call) -> Iterator[tuple[ast.expr | ast.keyword, ast.Call]]:
    """What is dropped, and the call without it."""
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg not in _KEPT:
            yield (
                keyword,
                ast.Call(call.func, call.args, [one for one in call.keywords if one is not keyword]),
            )
    if isinstance(call.func, ast.Attribute) and call.func.attr == "get" and len(call.args) > 1:
        yield call.args[-1], ast.Call(call.func, call.args[:-1], call.keywords)


def _replacing(parent: ast.AST, old: ast.AST, new: ast.AST) -> Callable[[], None]:
    def replace() -> None:
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(one is old for one in value):
                setattr(parent, field, [new if one is old else one for one in value])

    return replace


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
