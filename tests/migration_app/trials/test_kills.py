"""A worker killed at every boundary of a try-out: nothing asked twice, nothing left that is not listed."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.models import Trial, TrialResult
from migration_app.trials import scratch, turn, work
from migration_app.trials.trials import trial_step
from tests.migration_app.trials.estate import plain_thread, run_trial, trial_made
from tests.migration_app.trials.test_work import died, seen
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)


class KilledError(BaseException):
    """No handler of the program sees a kill."""


class Boundary:
    """Kills the worker before or after its nth write; counts them otherwise."""

    def __init__(self, write: Any) -> None:
        self._write = write
        self.written = 0
        self.kill_at: int | None = None
        self.after = False

    def __call__(self, *arguments: Any, **named: Any) -> None:
        if self.written == self.kill_at and not self.after:
            self.kill_at = None
            raise KilledError
        self._write(*arguments, **named)
        self.written += 1
        if self.after and self.kill_at is not None and self.written == self.kill_at + 1:
            self.kill_at = None
            raise KilledError


@pytest.fixture
def boundary(monkeypatch: pytest.MonkeyPatch) -> Boundary:
    made = Boundary(trial_step)
    for module in (work, scratch, turn):
        monkeypatch.setattr(module, "trial_step", made)
    return made


def test_a_kill_at_any_boundary_repeats_no_response_and_leaves_nothing_unlisted(
    boundary: Boundary, sandbox: RunningSandbox
) -> None:
    thread = plain_thread(messages=4)
    trial = trial_made(thread, turns=1)
    run_trial(trial)
    boundaries, before = boundary.written, 1
    assert boundaries > 10
    outcomes = set()
    for after in (False, True):
        for number in range(boundaries):
            Trial.objects.all().delete()
            trial = trial_made(thread, version=trial.version_a, turns=1)
            boundary.written, boundary.kill_at, boundary.after = 0, number, after
            alive = sandbox.control.state().conversations
            with pytest.raises(KilledError):
                run_trial(trial)
            died(trial)
            run_trial(trial)
            asked = seen(sandbox)["POST responses"] - before
            before += asked
            (result,) = TrialResult.objects.all()
            lost = trial.scratches.filter(state="lost").count()
            outcomes.add((result.state, asked, lost))
            assert trial.state == "finished"
            assert asked <= 1
            assert (result.state == "done") <= (asked == 1)
            assert trial.tokens_unknown > 0 or result.state == "done"
            assert set(trial.scratches.values_list("state", flat=True)) <= {"deleted", "lost"}
            assert sandbox.control.state().conversations - alive <= lost
    assert outcomes == {("done", 1, 0), ("done", 1, 1), ("unknown", 1, 0), ("unknown", 0, 0)}
