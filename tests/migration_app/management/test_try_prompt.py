from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from migration_app.models import Trial
from tests.migration_app.trials.estate import nothing_left, plain_thread, tool_thread, version_made
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)


def tried(*arguments: str) -> str:
    out = io.StringIO()
    call_command("try_prompt", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_without_yes_it_only_tells_what_it_costs(sandbox: RunningSandbox) -> None:
    plain_thread()
    version_made()
    told = tried("clerk", "--thread", "thread_1")
    assert "3 turns of 1 threads: 1 creates, 2 appends, 3 to 3 responses" in told
    assert "Nothing was sent." in told
    assert (Trial.objects.count(), sandbox.control.requests()) == (0, [])


def test_with_yes_it_runs_here_and_writes_results_without_content(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    tool_thread(text="A most private word")
    version_made()
    file = tmp_path / "verdicts.csv"
    told = tried("clerk@1", "--status", "snapshotted", "--yes", "--reason", "a test", "--csv", str(file))
    assert "is finished. answered: 1." in told
    written = file.read_text(encoding="utf-8")
    assert "thread_tool" in written
    assert "private" not in told + written
    assert nothing_left(sandbox)


def test_a_budget_that_is_used_up_is_told_by_the_exit_code(sandbox: RunningSandbox) -> None:
    plain_thread()
    version_made()
    with pytest.raises(SystemExit) as ended:
        tried("clerk", "--thread", "thread_1", "--yes", "--reason", "a test", "--max-calls", "3")
    assert ended.value.code == 1
    row = Trial.objects.get()
    assert "Nothing was sent" in tried("--resume", str(row.pk))
    told = tried("--resume", str(row.pk), "--yes", "--reason", "more", "--max-calls", "20")
    assert "answered: 3." in told


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Name the prompt"),
        (["nobody"], "There is no prompt version 'nobody'"),
        (["clerk@x"], "There is no prompt version 'clerk@x'"),
        (["clerk", "--thread", "thread_none"], "unknown or have no snapshot"),
        (["clerk", "--thread", "thread_1", "--turns", "0"], "Take 1 to"),
        (["clerk", "--thread", "thread_1", "--yes"], "Say why"),
        (["--report", "9"], "There is no try-out 9"),
    ],
)
def test_what_can_not_be_done_is_said(db: None, arguments: list[str], text: str) -> None:
    plain_thread()
    version_made()
    with pytest.raises(CommandError, match=text):
        tried(*arguments)
