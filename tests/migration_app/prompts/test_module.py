from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.specs import spec_variables
from migration_app.prompts import module
from migration_app.prompts.module import (
    ModuleUnreadableError,
    PromptFacts,
    module_read,
    module_stems,
    module_text,
)

FACTS = PromptFacts("kitchen-desk", 'The "kitchen"\n', "asst_1", 3, "ab" * 32)
NASTY = (
    "\"\"\" ''' \\ \\N{DASH} {{ name }} {{class}} {x} %s\r\n\x00\x1b\u2028\n\ud83d \U0001f600 json.loads(\n"
    "{{_kwargs}}{{__debug__}}{{ class_ }}"
)
TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}

texts = st.text(st.characters(codec=None) | st.sampled_from("\"'\\\n\r{}\x00\ud800\udfff"), max_size=30)
variables = st.sampled_from(
    ["{{name}}", "{{ class }}", "{{_kwargs}}", "{{x}}\n", "{{None}}", "{{a}}{{a_}}", "{{Any}}", "{{str}}"]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "model": st.just("gpt-4o") | values,
        "instructions": st.lists(texts | variables, max_size=6).map("".join) | values,
        "tools": st.lists(st.dictionaries(texts, values, max_size=3), max_size=3) | values,
        "text": values,
        "metadata": st.dictionaries(texts, texts, max_size=3),
        "Model": values,
    },
)


def run(spec: JsonObject) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(module_text(FACTS, spec), "exported", "exec"), names)  # noqa: S102 - that it runs is the point
    return names


def arguments(names: dict[str, Any]) -> list[str]:
    code = names["create_kwargs"].__code__
    return list(code.co_varnames[: code.co_kwonlyargcount])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(specs)
def test_any_module_runs_and_is_read_back_as_the_spec(spec: JsonObject) -> None:
    names = run(spec)
    # Each parameter is given its own placeholder, so that filling changes nothing.
    own = {name: f"{{{{{name}}}}}" for name in spec_variables(spec)}
    made = names["create_kwargs"](**dict(zip(arguments(names), [own[n] for n in sorted(own)], strict=True)))
    plain = spec.get("instructions")
    if isinstance(plain, str):
        spec_filled = {**spec, "instructions": names["_PLACEHOLDER"].sub(lambda found: own[found[1]], plain)}
        assert made == spec_filled
    else:
        assert made == spec
    assert module_read(module_text(FACTS, spec)) == (FACTS, spec)


def test_a_module_is_ascii_and_the_same_whatever_the_order_of_keys() -> None:
    spec = {"model": "gpt-4o", "instructions": NASTY, "tools": [TOOL], "metadata": {"a": "1", "b": "2"}}
    turned = dict(reversed(spec.items())) | {"metadata": {"b": "2", "a": "1"}}
    assert module_text(FACTS, spec) == module_text(FACTS, turned)
    assert module_text(FACTS, spec).isascii()


def test_placeholders_are_parameters_filled_once() -> None:
    names = run({"model": "m", "instructions": NASTY})
    made = names["create_kwargs"](name="{{class}}", class_="C", _kwargs_="K", __debug___="D", class__="E")[
        "instructions"
    ]
    assert "{{class}} C {x}" in made
    assert made.endswith("KDE")


def test_a_missing_variable_is_an_error_of_the_call() -> None:
    with pytest.raises(TypeError, match="name"):
        run({"instructions": "Hello {{name}}"})["create_kwargs"]()


def test_each_call_gets_arguments_of_its_own() -> None:
    names = run({"model": "m", "tools": [TOOL], "metadata": {"a": "1"}})
    before = copy.deepcopy(names["create_kwargs"]())
    made = names["create_kwargs"]()
    made["tools"][0]["name"] = made["metadata"]["a"] = "changed"
    assert names["create_kwargs"]() == before


def test_a_change_of_one_line_changes_one_line() -> None:
    lines = [f"Rule {number}: be brief." for number in range(1_000)]
    old = module_text(FACTS, {"instructions": "\n".join(lines)}).splitlines()
    lines[500] = "Rule 500: be kind."
    new = module_text(FACTS, {"instructions": "\n".join(lines)}).splitlines()
    assert [new_line for old_line, new_line in zip(old, new, strict=True) if old_line != new_line] == [
        '    "Rule 500: be kind.\\n"'
    ]


def test_the_longest_instructions_and_128_tools_run() -> None:
    tools = [TOOL | {"name": f"tool_{number}"} for number in range(128)]
    spec = {"instructions": "\n" * 256_000, "tools": tools, "model": "m"}
    assert run(spec)["create_kwargs"]() == spec


def test_values_nested_deeper_than_python_allows_are_carried() -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"properties": deep}
    spec = {"tools": [TOOL | {"parameters": deep}]}
    assert run(spec)["create_kwargs"]() == spec
    assert module_read(module_text(FACTS, spec))[1] == spec


@pytest.mark.parametrize("depth", [57, 58, 59, 60, 61, 62, 130])
def test_settings_nested_at_any_depth_run(depth: int) -> None:
    deep: Any = "end"
    for _ in range(depth):
        deep = {"level": deep}
    spec = {"model": "m", "instructions": "json.loads(", "tools": [TOOL], "text": deep}
    assert run(spec)["create_kwargs"]() == spec
    assert module_read(module_text(FACTS, spec))[1] == spec


def test_a_module_is_imported_by_its_name_checked_by_mypy_and_clean_for_ruff(tmp_path: Path) -> None:
    (tmp_path / "class_.py").write_text(
        module_text(FACTS, {"model": "m", "instructions": NASTY, "tools": [TOOL], "top_p": 1})
    )
    program = "import json, class_; print(json.dumps(sorted(class_.create_kwargs.__kwdefaults__ or {})), class_.SLUG)"
    python = [sys.executable, "-W", "error"]
    found = subprocess.run([*python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout == "[] kitchen-desk\n"
    checks = [["mypy", "--strict", "--no-incremental"], ["ruff", "check", "--isolated", "--no-cache"]]
    for check in checks:
        command = [sys.executable, "-m", *check, "class_.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_slugs_become_importable_names_that_hide_no_module() -> None:
    slugs = ["kitchen-desk", "class", "json", "2nd-line", "con", "a-b", "a_b", "None"]
    stems = module_stems(slugs)
    assert (stems["kitchen-desk"], stems["class"], stems["json"], stems["2nd-line"], stems["con"]) == (
        "kitchen_desk",
        "class_",
        "json_",
        "_2nd_line",
        "con_",
    )
    assert len(set(stems.values())) == len(slugs)
    assert all(stem.isidentifier() for stem in stems.values())


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ('MODEL: Final[str] = "m"', "MODEL: Final[str] = open('x')", "MODEL, line"),
        ('MODEL: Final[str] = "m"', 'MODEL: Final[str] = f"m"', "MODEL, line"),
        ('MODEL: Final[str] = "m"', 'MODEL = "m"\nMODEL = "n"', "MODEL is there twice"),
        ('MODEL: Final[str] = "m"', 'MODLE: Final[str] = "m"', "MODLE is none of its constants"),
        ("import copy", "import os", "only the constants"),
        ("    return kwargs\n", "    kwargs['x'] = 1\n    return kwargs\n", "only the constants"),
        ('SLUG: Final[str] = "kitchen-desk"', "", "SLUG: it is missing"),
        ("VERSION: Final[int] = 3", "VERSION: Final[int] = True", "VERSION: it must be a whole number"),
        (
            '"temperature": 1,',
            '"temperature": 1, "temperature": 2,',
            "the key temperature is there twice",
        ),
        ('"temperature": 1,', '"temperature": 1e999,', "too large"),
        ('"temperature": 1,', '"model": "n",', "model is in MODEL already"),
        ('"temperature": 1,', "1: 1,", "keys of a dictionary must be texts"),
        ("def create_kwargs", "def create kwargs", "it is not Python"),
        ("import copy", "import copy\x00", "it is not Python"),
    ],
)
def test_a_module_that_was_changed_elsewhere_is_refused(old: str, new: str, shown: str) -> None:
    text = module_text(FACTS, {"model": "m", "temperature": 1})
    assert old in text
    with pytest.raises(ModuleUnreadableError, match=shown):
        module_read(text.replace(old, new))


def test_a_module_is_never_run_when_read(tmp_path: Path) -> None:
    text = module_text(FACTS, {"model": "m"}) + f"\nopen({json.dumps(str(tmp_path / 'made'))}, 'w')\n"
    with pytest.raises(ModuleUnreadableError, match="only the constants"):
        module_read(text)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "costly",
    [
        "[]," * 400_000,
        '"",' * 900_000,
        "''," * 900_000,
        '""" """,' * 300_000,
        "'\"', " + "[]," * 400_000 + " '\"'",
        '# "\n' + "[]," * 400_000 + '# "\n',
        'f"{[' + "[]," * 400_000 + ']}"',
        "1," * 400_000,
    ],
    ids=["lists", "texts", "single", "triple", "between quotes", "comments", "formatted", "numbers"],
)
def test_a_module_that_would_cost_the_parser_gigabytes_is_refused_unread(
    costly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ast", None)  # whoever would parse fails
    with pytest.raises(ModuleUnreadableError, match="more values than any prompt"):
        module_read('SLUG = "x"\nSETTINGS = {"a": [' + costly + "]}\n")


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''"])
def test_a_text_without_an_end_is_told_with_its_line(quote: str) -> None:
    with pytest.raises(ModuleUnreadableError, match="line 2: it is not Python"):
        module_read(f'SLUG = "x"\nMODEL = {quote}m\n')


def test_the_longest_instructions_one_character_a_line_are_read_back() -> None:
    spec = {"instructions": "\n" * 256_000, "model": "m"}
    assert module_read(module_text(FACTS, spec))[1] == spec


@pytest.mark.parametrize(
    "nested", ["-" * 5_000 + "1", "1+" * 5_000 + "1", "a" + ".b" * 5_000, "-" * 90_000 + "1"]
)
def test_a_module_that_is_nested_too_deeply_is_refused_in_words(nested: str) -> None:
    with pytest.raises(ModuleUnreadableError, match="it is not Python"):
        module_read(f'SLUG = "x"\nSETTINGS = {nested}\n')


def test_128_large_tools_are_read_back() -> None:
    fields = {f"field_{number}": {"type": "string", "enum": ["a", "b"]} for number in range(60)}
    parameters = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    spec = {
        "model": "m",
        "tools": [TOOL | {"name": f"tool_{n}", "parameters": parameters} for n in range(128)],
    }
    assert module_read(module_text(FACTS, spec))[1] == spec
