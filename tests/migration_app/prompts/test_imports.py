from __future__ import annotations

import json
from typing import Any

import pytest

from migration_app.contracts import Actor
from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.files import prompt_document, prompt_module
from migration_app.prompts.imports import ImportedFile, PromptFileError, prompts_import
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


@pytest.fixture
def version() -> PromptVersion:
    return version_made(prompt_made(name="Kitchen desk"))


def take(*files: tuple[str, bytes]) -> list[ImportedFile]:
    return prompts_import(files=files, author=ADA)


def document(version: PromptVersion, /, **changed: Any) -> bytes:
    return json.dumps(json.loads(prompt_document(version)) | changed).encode()


def test_an_edited_document_becomes_a_draft_that_names_its_file(version: PromptVersion) -> None:
    edited = document(version, spec=SPEC | {"instructions": "Be short."})
    assert take(("kitchen-desk.json", edited)) == [ImportedFile("kitchen-desk.json", "kitchen-desk", 2)]
    made = PromptVersion.objects.get(number=2)
    assert (made.spec["instructions"], made.state, made.origin, made.author_name, made.note) == (
        "Be short.",
        "draft",
        "imported",
        "ada",
        "Imported from kitchen-desk.json, edited from version 1.",
    )


def test_an_edited_module_becomes_a_draft(version: PromptVersion) -> None:
    edited = prompt_module(version).replace(b'"Be kind."', b'"Be \\U0001f600."')
    take(("kitchen_desk.py", edited))
    assert PromptVersion.objects.get(number=2).spec == SPEC | {"instructions": "Be brief.\nBe \U0001f600."}


def test_a_file_with_windows_line_ends_and_a_mark_is_read(version: PromptVersion) -> None:
    edited = prompt_module(version).replace(b"kind", b"fair").replace(b"\n", b"\r\n")
    take(("kitchen_desk.py", b"\xef\xbb\xbf" + edited))
    assert PromptVersion.objects.get(number=2).spec["instructions"] == "Be brief.\nBe fair."


def test_files_that_say_nothing_new_make_no_version(version: PromptVersion) -> None:
    version_made(version.prompt, SPEC | {"instructions": "A newer draft."}, state="draft")
    files = [("kitchen-desk.json", prompt_document(version)), ("kitchen_desk.py", prompt_module(version))]
    assert [each.version for each in take(*files)] == [None, None]
    assert PromptVersion.objects.count() == 2


def test_the_same_edit_in_both_files_makes_one_version(version: PromptVersion) -> None:
    edited = [
        ("kitchen-desk.json", prompt_document(version).replace(b"kind", b"fair")),
        ("kitchen_desk.py", prompt_module(version).replace(b"kind", b"fair")),
    ]
    assert [each.version for each in take(*edited)] == [2, None]


def test_two_different_edits_of_one_prompt_are_refused(version: PromptVersion) -> None:
    edited = [
        ("kitchen-desk.json", prompt_document(version).replace(b"kind", b"fair")),
        ("kitchen_desk.py", prompt_module(version).replace(b"kind", b"firm")),
    ]
    with pytest.raises(
        PromptFileError, match=r"kitchen-desk\.json and kitchen_desk\.py have different content"
    ):
        take(*edited)
    assert PromptVersion.objects.count() == 1


def test_an_edit_that_does_not_know_a_newer_version_says_so(version: PromptVersion) -> None:
    version_made(version.prompt, SPEC | {"instructions": "A newer draft."}, state="draft")
    [imported] = take(("kitchen-desk.json", prompt_document(version).replace(b"kind", b"fair")))
    assert (imported.version, imported.behind) == (3, 2)


def test_one_bad_file_keeps_all_out(version: PromptVersion) -> None:
    other = version_made(prompt_made("other"))
    with pytest.raises(PromptFileError, match=r"other\.json: it is damaged: line 1"):
        take(
            ("kitchen-desk.json", prompt_document(version).replace(b"kind", b"fair")),
            ("other.json", prompt_document(other)[:-3].replace(b"\n", b"")),
        )
    assert PromptVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"slug": "nobody"}, "slug: there is no prompt nobody"),
        ({"slug": "no\x00body"}, "slug: there is no prompt"),
        ({"slug": ""}, "slug: it is missing"),
        ({"slug": 5}, "slug: it must be a text"),
        ({"version": True}, "version: it must be a whole number"),
        ({"assistant_id": "asst_else"}, "assistant_id: kitchen-desk is another assistant's prompt"),
        ({"name": "Renamed"}, "name: an import does not rename"),
        ({"sepc": {}}, "the key sepc is unknown"),
        ({"spec": []}, "spec: it must be an object"),
        ({"spec": {"modle": "gpt-4o", "model": "gpt-4o"}}, "modle: responses.create has no such argument"),
        ({"spec": {"instructions": "x"}}, "model: a prompt must name its model"),
        ({"spec": SPEC | {"temperature": 9}}, "temperature: it must be a number from 0 to 2"),
        ({"spec": {"model": "o3", "temperature": 1}}, "temperature: the model o3 refuses it"),
    ],
)
def test_a_file_that_cant_be_taken_names_itself_and_the_key(
    version: PromptVersion, changed: dict[str, Any], text: str
) -> None:
    with pytest.raises(PromptFileError, match=f"kitchen-desk.json: .*{text}"):
        take(("kitchen-desk.json", document(version, **changed)))
    assert PromptVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.json", b"\xff", "it is not UTF-8"),
        ("a.json", b"[]", "it is no JSON object"),
        ("a.json", b'{"slug": "a", "slug": "b"}', "the key slug occurs twice"),
        ("a.json", b'{"slug": "a", "spec": {"top_p": NaN}}', "NaN is no JSON number"),
        ("a.json", b'{"slug": "a", "spec": {"top_p": 1e999}}', "spec holds a number"),
        ("a.json", b"[" * 90_000, "it can't be read"),
        ("a.json", b"[" + b"{}," * 200_000 + b"{}]", "more values than any prompt"),
        ("a.json", b'{"slug": "a', "a text has no end"),
        ("a.py", b"(" * 90_000, "it is not Python"),
        ("a.txt", b"", "ends in .json or .py"),
    ],
)
def test_damage_of_every_kind_is_told(name: str, content: bytes, text: str) -> None:
    with pytest.raises(PromptFileError, match=text):
        take((name, content))


def test_a_prompt_without_versions_takes_its_first_from_a_file() -> None:
    prompt = prompt_made("empty")
    take(("empty.json", json.dumps({"slug": "empty", "spec": SPEC}).encode()))
    newest = Prompt.objects.get(pk=prompt.pk).current_version
    assert newest is not None
    assert (newest.number, newest.note) == (1, "Imported from empty.json.")
