"""The bundled archive is what the generator makes, and shows every quirkyity it is there for."""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.sample import build, sample_path
from console.sample.company import moment
from console.sample.objects import text

Json = dict[str, Any]
RIGHT_TO_LEFT_MARK = "\u200f"


def _objects(kind: str) -> list[Json]:
    lines = gzip.decompress(sample_path().read_bytes()).decode().split("\n")
    return [line for line in (json.loads(text) for text in lines if text) if line["object"] == kind]


@pytest.fixture(scope="module")
def assistants() -> list[Json]:
    return _objects("assistant")


@pytest.fixture(scope="module")
def files() -> dict[str, Json]:
    return {line["id"]: line for line in _objects("file")}


@pytest.fixture(scope="module")
def threads() -> dict[str, Json]:
    return {line["id"]: line for line in _objects("thread")}


@pytest.fixture(scope="module")
def messages() -> list[Json]:
    return _objects("thread.message")


@pytest.fixture(scope="module")
def runs() -> dict[str, Json]:
    return {line["id"]: line for line in _objects("thread.run")}


@pytest.fixture(scope="module")
def steps() -> list[Json]:
    return _objects("thread.run.step")


def _parts(messages: list[Json], role: str, kind: str) -> list[Json]:
    return [
        part for line in messages if line["role"] == role for part in line["content"] if part["type"] == kind
    ]


def _values(messages: list[Json]) -> list[str]:
    texts = (part for line in messages for part in line["content"] if part["type"] == "text")
    return [part["text"]["value"] for part in texts]


def _annotations(messages: list[Json]) -> Iterator[tuple[str, Json]]:
    for line in messages:
        for part in line["content"]:
            if part["type"] == "text":
                yield from ((part["text"]["value"], note) for note in part["text"]["annotations"])


def _tool_calls(steps: list[Json], kind: str) -> list[Json]:
    found = (call for line in steps for call in line["step_details"].get("tool_calls", ()))
    return [call for call in found if call["type"] == kind]


def _counts(messages: list[Json]) -> Counter[str]:
    return Counter(line["thread_id"] for line in messages)


# The files


@pytest.mark.parametrize("name", sorted(build.contents()))
def test_a_bundled_file_holds_what_the_generator_makes_now(name: str) -> None:
    # Unpacked, because Python may be built with another zlib, which packs the same lines into other bytes.
    unpack: Callable[[bytes], bytes] = gzip.decompress if name.endswith(".gz") else bytes
    assert unpack(sample_path(name).read_bytes()) == unpack(build.contents()[name])


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    build.write(tmp_path / "a")
    build.write(tmp_path / "b")
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / side).iterdir()} for side in "ab")
    assert first == second
    assert set(first) == {"estate.jsonl.gz", "transcripts.jsonl", "transcripts.csv", "thread_ids.csv"}


def test_the_archive_carries_neither_a_time_nor_a_file_name() -> None:
    flags, *time = sample_path().read_bytes()[3:8]
    assert (flags, time) == (0, [0, 0, 0, 0])


def test_the_archive_is_well_below_a_megabyte() -> None:
    assert sample_path().stat().st_size < 400_000


def test_importing_the_generator_needs_no_django() -> None:
    program = "import sys; sys.modules['django'] = None; import console.sample.build as b; b.thread_ids()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_sample_name_says_which_files_there_are() -> None:
    with pytest.raises(FileNotFoundError, match=r"'nope\.gz'.*estate\.jsonl\.gz.*thread_ids\.csv"):
        sample_path("nope.gz")


def test_a_marker_that_is_not_in_its_text_is_refused() -> None:
    with pytest.raises(ValueError, match="does not occur"):
        text("Nothing to cite.", (("【1:0†source】", {}),))


# Ids and references


@pytest.mark.parametrize(
    ("kind", "shape", "least"),
    [
        ("assistant", r"asst_[A-Za-z0-9]{24}", 4),
        ("thread", r"thread_[A-Za-z0-9]{24}", 200),
        ("thread.message", r"msg_[A-Za-z0-9]{24}", 1500),
        ("thread.run", r"run_[A-Za-z0-9]{24}", 500),
        ("thread.run.step", r"step_[A-Za-z0-9]{24}", 500),
        ("file", r"file-([A-Za-z0-9]{22}|[A-Za-z0-9]{24})", 4),
        ("vector_store", r"vs_[0-9a-f]{32}", 1),
    ],
)
def test_ids_are_well_formed_and_unique_in_their_kind(kind: str, shape: str, least: int) -> None:
    ids = [line["id"] for line in _objects(kind)]
    assert [name for name in ids if not re.fullmatch(shape, name)] == []
    assert len(set(ids)) == len(ids) >= least


def test_there_are_two_hundred_threads_and_four_assistants(
    threads: dict[str, Json], assistants: list[Json]
) -> None:
    assert (len(threads), len(assistants)) == (200, 4)


def test_tool_call_ids_are_well_formed_and_unique(steps: list[Json]) -> None:
    ids = [call["id"] for line in steps for call in line["step_details"].get("tool_calls", ())]
    assert [name for name in ids if not re.fullmatch(r"call_[A-Za-z0-9]{24}", name)] == []
    assert len(set(ids)) == len(ids)


def test_messages_runs_and_steps_belong_to_threads_of_the_archive(
    threads: dict[str, Json], messages: list[Json], runs: dict[str, Json], steps: list[Json]
) -> None:
    assert {line["thread_id"] for line in [*messages, *runs.values(), *steps]} <= set(threads)


def test_runs_name_assistants_of_the_archive(runs: dict[str, Json], assistants: list[Json]) -> None:
    assert {line["assistant_id"] for line in runs.values()} == {line["id"] for line in assistants}


def test_steps_name_runs_of_their_own_thread(runs: dict[str, Json], steps: list[Json]) -> None:
    assert [line["id"] for line in steps if runs[line["run_id"]]["thread_id"] != line["thread_id"]] == []


def test_steps_name_messages_of_their_own_run_but_for_one_deleted(
    messages: list[Json], steps: list[Json]
) -> None:
    made_by = {line["id"]: line["run_id"] for line in messages}
    created = [line for line in steps if line["type"] == "message_creation"]
    named = [(line["step_details"]["message_creation"]["message_id"], line["run_id"]) for line in created]
    assert [made_by[name] for name, run in named if name in made_by and made_by[name] != run] == []
    assert len([name for name, _ in named if name not in made_by]) == 1


def test_every_answer_whose_run_is_kept_is_named_by_a_step(
    messages: list[Json], runs: dict[str, Json], steps: list[Json]
) -> None:
    created = [line["step_details"] for line in steps if line["type"] == "message_creation"]
    named = {details["message_creation"]["message_id"] for details in created}
    assert [line["id"] for line in messages if line["run_id"] in runs and line["id"] not in named] == []


def test_every_file_that_is_named_is_in_the_archive(files: dict[str, Json]) -> None:
    lines = gzip.decompress(sample_path().read_bytes()).decode()
    assert set(re.findall(r'"(file-[A-Za-z0-9]+)"', lines)) <= set(files)


def test_some_runs_are_missing_as_in_archives_of_messages_only(
    messages: list[Json], runs: dict[str, Json]
) -> None:
    assert {line["run_id"] for line in messages if line["run_id"]} - set(runs)


# Assistants and threads


@pytest.mark.parametrize("kind", ["function", "file_search", "code_interpreter"])
def test_an_assistant_has_each_kind_of_tool(kind: str, assistants: list[Json]) -> None:
    assert kind in {tool["type"] for line in assistants for tool in line["tools"]}


def test_one_assistant_answers_after_a_schema(assistants: list[Json]) -> None:
    formats = [line["response_format"] for line in assistants]
    named = [form["json_schema"]["name"] for form in formats if isinstance(form, dict)]
    assert named == ["ledger_answer"]


def test_some_assistants_have_a_temperature_of_their_own(assistants: list[Json]) -> None:
    assert sorted(line["temperature"] for line in assistants) == [0.1, 0.3, 0.7, 1.0]


def test_threads_start_between_2024_and_2026(threads: dict[str, Json]) -> None:
    starts = [line["created_at"] for line in threads.values()]
    assert (min(starts), max(starts)) == (moment("2024-02-19"), moment("2026-08-20"))


def test_most_threads_name_their_user(threads: dict[str, Json]) -> None:
    users = [line["metadata"]["user_id"] for line in threads.values() if "user_id" in line["metadata"]]
    assert len(users) > 180
    assert [user for user in users if not re.fullmatch(r"user_\d{4}", user)] == []


def test_one_thread_uses_all_sixteen_pairs_to_their_limits(threads: dict[str, Json]) -> None:
    (full,) = (line["metadata"] for line in threads.values() if len(line["metadata"]) == 16)
    assert (max(map(len, full)), max(map(len, full.values()))) == (64, 512)


def test_one_thread_is_empty(threads: dict[str, Json], messages: list[Json]) -> None:
    assert len(set(threads) - set(_counts(messages))) == 1


def test_one_thread_has_250_messages(messages: list[Json]) -> None:
    assert [count for count in _counts(messages).values() if count > 60] == [250]


def test_two_threads_have_between_21_and_60_messages(messages: list[Json]) -> None:
    assert sorted(count for count in _counts(messages).values() if 20 < count <= 60) == [21, 57]


def test_threads_of_one_full_chunk_are_there(messages: list[Json]) -> None:
    assert 20 in _counts(messages).values()


# Order and age


def test_one_thread_alone_lists_its_messages_newest_first(messages: list[Json]) -> None:
    times: dict[str, list[int]] = {}
    for line in messages:
        times.setdefault(line["thread_id"], []).append(line["created_at"])
    turned = [name for name, at in times.items() if at != sorted(at)]
    assert len(turned) == 1
    assert times[turned[0]] == sorted(times[turned[0]], reverse=True)


def test_one_thread_has_two_messages_of_one_second(messages: list[Json]) -> None:
    at = Counter((line["thread_id"], line["created_at"]) for line in messages)
    ((thread, second),) = (place for place, count in at.items() if count > 1)
    tied = [line for line in messages if (line["thread_id"], line["created_at"]) == (thread, second)]
    assert [value.split(":")[0] for value in _values(tied)] == ["First", "Second"]


def test_some_threads_come_after_their_messages() -> None:
    lines = [json.loads(line) for line in build.json_lines(build.estate()).decode().split("\n") if line]
    known: set[str] = set()
    early = set()
    for line in lines:
        if line["object"] == "thread":
            known.add(line["id"])
        elif "thread_id" in line and line["thread_id"] not in known:
            early.add(line["thread_id"])
    assert len(early) > 5


def test_most_messages_carry_no_status_and_some_do(messages: list[Json]) -> None:
    bare = sum("status" not in line for line in messages)
    assert len(messages) > bare > len(messages) * 0.7


def test_messages_of_the_first_version_have_file_ids_and_no_attachments(messages: list[Json]) -> None:
    old = [line for line in messages if "file_ids" in line]
    assert [len(line["file_ids"]) for line in old] == [1, 0]
    assert [line for line in old if "attachments" in line] == []


# Messages


def test_users_sent_pictures_from_the_web_with_detail(messages: list[Json]) -> None:
    details = {part["image_url"]["detail"] for part in _parts(messages, "user", "image_url")}
    assert details == {"high", "auto"}


def test_a_user_uploaded_a_picture(messages: list[Json], files: dict[str, Json]) -> None:
    (part,) = _parts(messages, "user", "image_file")
    assert files[part["image_file"]["file_id"]]["purpose"] == "vision"


def test_assistants_made_pictures(messages: list[Json], files: dict[str, Json]) -> None:
    made = [part["image_file"]["file_id"] for part in _parts(messages, "assistant", "image_file")]
    assert [files[name]["purpose"] for name in made] == ["assistants_output", "assistants_output"]


def test_offsets_of_annotations_cut_out_their_marker_by_code_points(messages: list[Json]) -> None:
    notes = list(_annotations(messages))
    assert len(notes) > 8
    assert [
        note for value, note in notes if value[note["start_index"] : note["end_index"]] != note["text"]
    ] == []


def test_a_citation_stands_behind_an_emoji_outside_the_basic_plane(messages: list[Json]) -> None:
    behind = [
        note["text"]
        for value, note in _annotations(messages)
        if any(ord(letter) > 0xFFFF for letter in value[: note["start_index"]])
    ]
    assert behind == ["【8:3†care-cast-iron.pdf】"]


def test_two_citations_share_one_range(messages: list[Json]) -> None:
    ranges = Counter((value, note["start_index"]) for value, note in _annotations(messages))
    assert sorted(ranges.values())[-2:] == [1, 2]


@pytest.mark.parametrize("kind", ["file_citation", "file_path"])
def test_annotations_name_files_of_the_archive(
    kind: str, messages: list[Json], files: dict[str, Json]
) -> None:
    named = [note[kind]["file_id"] for _, note in _annotations(messages) if note["type"] == kind]
    assert named
    assert set(named) <= set(files)


def test_a_web_page_is_cited(messages: list[Json]) -> None:
    (cited,) = (note for _, note in _annotations(messages) if note["type"] == "url_citation")
    assert set(cited["url_citation"]) == {"url", "title"}


def test_users_attached_files_for_both_tools(messages: list[Json]) -> None:
    attached = [one for line in messages if line["role"] == "user" for one in line.get("attachments", ())]
    assert {tool["type"] for one in attached for tool in one["tools"]} == {"file_search", "code_interpreter"}


def test_the_file_an_assistant_made_is_attached_to_its_message(messages: list[Json]) -> None:
    (line,) = (one for one in messages if one["role"] == "assistant" and one.get("attachments"))
    ((_, note),) = _annotations([line])
    assert note["file_path"]["file_id"] == line["attachments"][0]["file_id"]


def test_incomplete_messages_say_why(messages: list[Json]) -> None:
    stopped = [line for line in messages if line.get("status") == "incomplete"]
    reasons = [line["incomplete_details"]["reason"] for line in stopped]
    assert sorted(reasons) == ["content_filter", "max_tokens", "run_cancelled"]
    assert all(line["incomplete_at"] >= line["created_at"] for line in stopped)


def test_incomplete_messages_come_from_runs_that_stopped(messages: list[Json], runs: dict[str, Json]) -> None:
    stopped = [runs[line["run_id"]]["status"] for line in messages if line.get("status") == "incomplete"]
    assert sorted(stopped) == ["cancelled", "incomplete", "incomplete"]


def test_refusals_stand_alone_and_beside_text(messages: list[Json]) -> None:
    kinds = [[part["type"] for part in line["content"]] for line in messages]
    assert sorted(one for one in kinds if "refusal" in one) == [["refusal"], ["text", "refusal"]]


def test_one_message_is_empty(messages: list[Json]) -> None:
    assert [line["role"] for line in messages if line["content"] == []] == ["assistant"]


def test_one_message_holds_a_nul(messages: list[Json]) -> None:
    assert len([value for value in _values(messages) if "\x00" in value]) == 1


@pytest.mark.parametrize(
    "needle",
    [
        "👩\u200d👩\u200d👧\u200d👦",
        "🇳🇴",
        "مرحبا",
        "שלום",
        RIGHT_TO_LEFT_MARK,
        "杭州",
        "京都",
        "감사",
        "e\u0301",
        "Küche",
    ],
)
def test_texts_hold_scripts_and_emoji(needle: str, messages: list[Json], assistants: list[Json]) -> None:
    names = [line["name"] for line in assistants]
    assert [value for value in [*_values(messages), *names] if needle in value]


@pytest.mark.parametrize(
    "needle", ["<script>", "=cmd|", "'); DROP TABLE", "\u2028", "\u0085", "\r\n", "%(id)s"]
)
def test_texts_hold_hostile_strings(needle: str, messages: list[Json]) -> None:
    assert [value for value in _values(messages) if needle in value]


def test_a_text_holds_a_very_long_word(messages: list[Json]) -> None:
    assert max(len(word) for value in _values(messages) for word in value.split()) > 4000


def test_one_thread_is_broken_by_an_unknown_part_and_a_system_message(messages: list[Json]) -> None:
    legal = {"text", "image_file", "image_url", "refusal"}
    unknown = [one for one in messages if any(part["type"] not in legal for part in one["content"])]
    foreign = [one for one in messages if one["role"] not in {"user", "assistant"}]
    assert [(one["role"], one["content"][1]["type"]) for one in unknown] == [("assistant", "audio_clip")]
    assert [(one["role"], one["thread_id"]) for one in foreign] == [("system", unknown[0]["thread_id"])]


def test_dialogue_is_varied(messages: list[Json]) -> None:
    values = _values(messages)
    assert len(set(values)) > len(values) * 0.7


# Runs and steps


def test_runs_ended_in_every_way_that_loses_something(runs: dict[str, Json]) -> None:
    ends = {line["status"] for line in runs.values()}
    assert ends == {"completed", "expired", "incomplete", "cancelled", "failed", "requires_action"}


def test_function_calls_come_single_parallel_and_in_rounds(steps: list[Json]) -> None:
    called = [line for line in steps if _tool_calls([line], "function")]
    rounds = Counter(line["run_id"] for line in called)
    assert {len(_tool_calls([line], "function")) for line in called} == {1, 3}
    assert set(rounds.values()) == {1, 2}


def test_function_arguments_are_json(steps: list[Json]) -> None:
    bodies = [call["function"] for call in _tool_calls(steps, "function")]
    assert all(isinstance(json.loads(body["arguments"]), dict) for body in bodies)


def test_outputs_were_submitted_unless_the_run_expired_or_waits(
    runs: dict[str, Json], steps: list[Json]
) -> None:
    open_runs = [
        runs[line["run_id"]]["status"]
        for line in steps
        for call in _tool_calls([line], "function")
        if call["function"]["output"] is None
    ]
    assert sorted(open_runs) == ["expired", "requires_action"]


def test_code_interpreter_left_logs_pictures_and_nothing(steps: list[Json]) -> None:
    outputs = [call["code_interpreter"]["outputs"] for call in _tool_calls(steps, "code_interpreter")]
    assert {tuple(one["type"] for one in output) for output in outputs} == {("logs",), ("image",), ()}


def test_file_searches_name_what_they_found(steps: list[Json], files: dict[str, Json]) -> None:
    results = [hit for call in _tool_calls(steps, "file_search") for hit in call["file_search"]["results"]]
    assert results
    assert {(hit["file_id"], hit["file_name"]) for hit in results} <= {
        (name, line["filename"]) for name, line in files.items()
    }


def test_one_file_search_kept_the_text_it_found(steps: list[Json]) -> None:
    results = [hit for call in _tool_calls(steps, "file_search") for hit in call["file_search"]["results"]]
    assert {"content" in hit for hit in results} == {True, False}


# The small files


def test_the_id_list_names_threads_of_the_estate_and_one_that_does_not_exist(
    threads: dict[str, Json], assistants: list[Json]
) -> None:
    rows = list(csv.DictReader(io.StringIO(sample_path("thread_ids.csv").read_text(encoding="utf-8"))))
    known = [row for row in rows if row["thread_id"] in threads]
    assert (len(rows), len(known), len({row["thread_id"] for row in rows})) == (20, 19, 20)
    assert [row["user_ref"] for row in known] == [
        threads[row["thread_id"]]["metadata"]["user_id"] for row in known
    ]
    assert {row["assistant_id"] for row in rows} <= {line["id"] for line in assistants}


def test_transcript_lines_have_string_and_part_contents() -> None:
    lines = sample_path("transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    contents = [message["content"] for line in lines for message in json.loads(line)["messages"]]
    assert {type(content) for content in contents} == {str, list}


def test_transcript_table_has_rows_with_and_without_ids_and_times() -> None:
    rows = list(csv.DictReader(io.StringIO(sample_path("transcripts.csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["thread_id", "role", "content", "created_at", "message_id", "user_ref"]
    assert {(bool(row["created_at"]), bool(row["message_id"])) for row in rows} == {
        (True, True),
        (False, False),
    }
