"""Forms to start, resume and judge a try-out. Counts only; nothing is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import signing
from django.http import QueryDict

from migration_app.admin.base.forms import (
    CheckboxInput,
    ConsoleForm,
    Select,
    Textarea,
    TextInput,
    WholeNumberField,
    reason_field,
    storable,
    text_field,
)
from migration_app.models import Assistant, PromptVersion, Thread
from migration_app.threads.selections import SelectionError, selection_of_filters, selection_threads
from migration_app.trials.plan import (
    DEFAULT_TURNS,
    FIRST,
    LAST,
    MAX_ROUNDS,
    MAX_THREADS,
    MAX_TURNS,
    Costs,
    Settings,
    TrialPlan,
    TrialRefusedError,
    threads_named,
    trial_plan,
    version_named,
)
from migration_app.trials.trials import budget_check

_SALT = "migration_app.admin.trial"
_LONGEST = 20_000
_FILTERS = ("status__exact", "fidelity__exact", "batch__id__exact", "assistant__id__exact", "finding__exact")
_HIDDEN = ("assistant__id__exact", "fidelity__exact", "finding__exact", "q")
_DEFAULTS = {
    "limit": 10,
    "turns": DEFAULT_TURNS,
    "take": LAST,
    "rounds": Settings().max_rounds,
    "output": Settings().max_output_tokens,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Confirmed:
    """What was shown to the operator, read back from the sealed field."""

    version_a: PromptVersion
    version_b: PromptVersion | None
    threads: tuple[Thread, ...]
    chosen: Settings
    costs: Costs


def _named(label: str, help_text: str, **options: Any) -> forms.CharField:
    widget = TextInput({"list": "slugs", "autocomplete": "off"})
    return text_field(label, length=300, help_text=help_text, widget=widget, **options)


class StartForm(ConsoleForm):
    """Which versions, threads and turns: read from an address, so that it can be counted again and linked to.

    Once it is valid it holds the versions in ``cleaned_data``, what is ``chosen``, the ``picked`` threads, and the
    ``plan`` with its costs.
    """

    count = forms.CharField(required=False, widget=forms.HiddenInput)
    a = _named(
        "Prompt version",
        "As clerk (its newest version) or clerk@3.",
        required=True,
        error_messages={"required": "Name the prompt to try out, such as clerk or clerk@3."},
    )
    b = _named("Compare with (optional)", "Another version, of this prompt or another: judged blind.")
    threads = text_field(
        "Threads, one id a line",
        length=_LONGEST,
        widget=Textarea(4),
        help_text="Or leave it empty, and take the newest that match:",
    )
    limit = WholeNumberField(
        "Threads at most", least=1, most=MAX_THREADS, refusal=f"Take 1 to {MAX_THREADS} threads."
    )
    status__exact = forms.ChoiceField(
        label="Status", choices=[("", "any"), *Thread.Status.choices], required=False, widget=Select()
    )
    batch__id__exact = text_field("Batch", length=20, widget=TextInput({"inputmode": "numeric"}))
    assistant = text_field("Assistant id", length=255)
    turns = WholeNumberField("Turns of each thread", what="Turns", least=1, most=MAX_TURNS)
    take = forms.ChoiceField(
        label="Which turns", choices=[(LAST, "the last ones"), (FIRST, "the first ones")], widget=Select()
    )
    rounds = WholeNumberField("Responses a turn at most", what="Rounds", least=1, most=MAX_ROUNDS)
    output = WholeNumberField("Output tokens a response", what="Output", least=16, most=1_000_000)

    def __init__(self, data: QueryDict, **options: Any) -> None:
        filled = storable(data)
        for name, value in _DEFAULTS.items():
            filled[name] = filled.get(name) or str(value)
        if "count" in data:
            super().__init__(filled, **options)
        else:
            super().__init__(initial={**filled.dict(), "count": "1"}, **options)
        for name in _HIDDEN:
            self.fields[name] = forms.CharField(required=False, max_length=_LONGEST, widget=forms.HiddenInput)
        self.chosen = Settings()
        self.picked: tuple[Thread, ...] = ()
        self.plan: TrialPlan | None = None

    def clean_a(self) -> PromptVersion | None:
        """Find the version."""
        return _version(self.cleaned_data["a"])

    def clean_b(self) -> PromptVersion | None:
        """Find the other one, if one is named."""
        return _version(self.cleaned_data["b"])

    def clean(self) -> dict[str, Any]:
        """Count what it costs, if there is nothing wrong so far."""
        found = self.cleaned_data
        if self.errors:
            return found
        if found["b"] is not None and found["b"].pk == found["a"].pk:
            self.add_error("b", "Choose two different versions to compare, or only one to try out.")
            return found
        self.chosen = Settings(
            turns=found["turns"],
            take=found["take"],
            max_rounds=found["rounds"],
            max_output_tokens=found["output"],
        )
        try:
            self.picked = _threads(found)
            self.plan = trial_plan(threads=self.picked, versions=self.versions, chosen=self.chosen)
        except (TrialRefusedError, SelectionError) as error:
            raise forms.ValidationError(str(error)) from error
        return found

    @property
    def versions(self) -> list[PromptVersion]:
        """The one version, or both."""
        return [found for found in (self.cleaned_data["a"], self.cleaned_data["b"]) if found is not None]

    def sealed(self) -> str:
        """Write down for the confirm form what was counted, so that nothing else can be started by it."""
        if self.plan is None:
            raise ValueError("nothing was counted")
        version_a, version_b = self.cleaned_data["a"], self.cleaned_data["b"]
        value = {
            "a": version_a.pk,
            "b": version_b.pk if version_b else None,
            "threads": [thread.pk for thread in self.picked],
            "chosen": dataclasses.asdict(self.chosen),
            "costs": dataclasses.asdict(self.plan.costs),
        }
        return signing.dumps(value, salt=_SALT, compress=True)


class BudgetForm(ConsoleForm):
    """What a try-out may cost, and why."""

    max_calls = WholeNumberField("Calls at most", what="The budget of calls")
    max_tokens = WholeNumberField("Tokens at most", what="The budget of tokens")
    reason = reason_field(help_text="", asked="Say why: it is kept in the audit trail.")

    def clean_max_calls(self) -> int:
        """Ask the try-outs' own rule."""
        calls: int = self.cleaned_data["max_calls"]
        _ask_budget(max_calls=calls)
        return calls

    def clean_max_tokens(self) -> int:
        """The same for tokens."""
        tokens: int = self.cleaned_data["max_tokens"]
        _ask_budget(max_tokens=tokens)
        return tokens


class ConfirmForm(BudgetForm):
    """Start what was counted. ``confirmed`` once it is valid."""

    sealed = forms.CharField(required=False, widget=forms.HiddenInput)
    reason = reason_field(
        rows=2,
        help_text="Kept in the audit trail. No message content, no secrets.",
        asked="Say why: it is kept in the audit trail.",
    )
    confirmed: Confirmed

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["max_calls"].label = "Budget: creates, appends, responses"
        self.fields["max_tokens"].label = "Budget: tokens"

    def clean(self) -> dict[str, Any]:
        """Read back what was counted."""
        try:
            self.confirmed = unseal(self.cleaned_data.get("sealed", ""))
        except TrialRefusedError as error:
            raise forms.ValidationError(str(error)) from error
        return self.cleaned_data


class RevealForm(ConsoleForm):
    """Whether the judging ends with it, where turns are left to judge."""

    ends_judging = forms.BooleanField(
        label="End the judging here",
        help_text="The turns that are left can't be judged any more, and the result is marked as incomplete.",
        required=False,
        widget=CheckboxInput(),
    )


class JudgeForm(ConsoleForm):
    """A verdict, which is the button that was pressed, and a comment."""

    verdict = forms.CharField(required=False, widget=forms.HiddenInput)
    comment = text_field(
        "Comment (optional)",
        length=4_000,
        widget=Textarea(2),
        help_text="Shown only to those who may see content; never in the audit trail or the CSV.",
    )


def unseal(text: str) -> Confirmed:
    """Read back what was counted. TrialRefusedError if it was changed on its way, or what it names is gone."""
    try:
        value = signing.loads(text, salt=_SALT)
    except signing.BadSignature:
        raise TrialRefusedError("The form did not arrive whole. Count again, then start.") from None
    versions = PromptVersion.objects.select_related("prompt").in_bulk([value["a"], value["b"] or 0])
    found = Thread.objects.select_related("batch").in_bulk(value["threads"])
    if value["a"] not in versions or len(found) != len(value["threads"]):
        raise TrialRefusedError("A version or a thread is gone meanwhile. Count again, then start.")
    return Confirmed(
        versions[value["a"]],
        versions.get(value["b"]),
        tuple(found[pk] for pk in value["threads"]),
        Settings(**value["chosen"]),
        Costs(**value["costs"]),
    )


def _version(named: str) -> PromptVersion | None:
    try:
        return version_named(named)
    except TrialRefusedError as error:
        raise forms.ValidationError(str(error)) from error


def _ask_budget(*, max_calls: int = 1, max_tokens: int = 1) -> None:
    try:
        budget_check(max_calls, max_tokens)
    except TrialRefusedError as error:
        raise forms.ValidationError(str(error)) from error


def _threads(found: Mapping[str, Any]) -> tuple[Thread, ...]:
    """The threads named one by one, else the newest that match the filters."""
    ids = found["threads"].split()
    if ids:
        return threads_named(ids)
    params = {name: found[name] for name in _FILTERS if found[name]}
    if found["assistant"]:
        assistant = Assistant.objects.filter(assistant_id=found["assistant"]).first()
        if assistant is None:
            raise TrialRefusedError("There is no assistant with this id.")
        params["assistant__id__exact"] = str(assistant.pk)
    try:
        narrowed = selection_threads(selection_of_filters(params, search=found["q"]))
        newest = narrowed.filter(snapshot_at__isnull=False).select_related("batch").order_by("-pk")
        return tuple(newest[: found["limit"]])
    except (ValueError, TypeError):
        raise TrialRefusedError("A filter's value can't be read: a batch is named by its number.") from None
