"""What a person asks of a try-out, as the start page reads and shows it. Counts only; nothing is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.core import signing
from django.http import QueryDict

from migration_app.models import Assistant, Prompt, PromptVersion, Thread
from migration_app.threads.selections import SelectionError, selection_of_filters, selection_threads
from migration_app.trials.plan import (
    BYTES_A_TOKEN,
    DEFAULT_TURNS,
    FIRST,
    LAST,
    MAX_THREADS,
    Costs,
    Settings,
    TrialPlan,
    TrialRefusedError,
    threads_named,
    trial_plan,
    version_named,
)

_SALT = "migration_app.admin.trial"
_DEFAULT_THREADS = 10
_SUGGESTED = 200
_FILTERS = ("status__exact", "fidelity__exact", "batch__id__exact", "assistant__id__exact", "finding__exact")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The form, read. ``error``: what of it can't be done. Nothing is counted before threads are chosen."""

    fields: Mapping[str, str]
    version_a: PromptVersion | None = None
    version_b: PromptVersion | None = None
    threads: tuple[Thread, ...] = ()
    chosen: Settings = dataclasses.field(default_factory=Settings)
    plan: TrialPlan | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Confirmed:
    """What was shown to the operator, read back from the sealed field."""

    version_a: PromptVersion
    version_b: PromptVersion | None
    threads: tuple[Thread, ...]
    chosen: Settings
    costs: Costs


def asked_for(data: QueryDict) -> Asked:
    """Read the form, and count if it names a version and threads."""
    fields = {name: _plain(data, name) for name in ("a", "b", "threads", "assistant", "q", *_FILTERS)}
    fields["take"] = FIRST if data.get("take") == FIRST else LAST
    numbers = {
        "limit": _DEFAULT_THREADS,
        "turns": DEFAULT_TURNS,
        "rounds": Settings().max_rounds,
        "output": Settings().max_output_tokens,
    }
    fields |= {name: _plain(data, name) or str(default) for name, default in numbers.items()}
    asked = Asked(fields)
    try:
        asked = dataclasses.replace(
            asked, version_a=version_named(fields["a"]), version_b=version_named(fields["b"])
        )
        chosen = Settings(
            turns=_number(fields, "turns"),
            take=fields["take"],
            max_rounds=_number(fields, "rounds"),
            max_output_tokens=_number(fields, "output"),
        )
        asked = dataclasses.replace(asked, chosen=chosen)
        if "count" not in data:
            return asked
        versions = _versions_checked(asked)
        threads = _threads(fields)
        plan = trial_plan(threads=threads, versions=versions, chosen=chosen)
        return dataclasses.replace(asked, threads=threads, plan=plan)
    except (TrialRefusedError, SelectionError) as error:
        return dataclasses.replace(asked, error=str(error))


def form_context(asked: Asked) -> dict[str, Any]:
    """What the start page shows of the form."""
    plan = asked.plan
    prompts = Prompt.objects.order_by("slug").values_list("slug", flat=True)
    context: dict[str, Any] = {
        "fields": asked.fields,
        "asked": asked,
        "slugs": list(prompts[:_SUGGESTED]),
        "statuses": Thread.Status.choices,
        "max_threads": MAX_THREADS,
        "bytes_a_token": BYTES_A_TOKEN,
    }
    if plan is not None:
        costs = plan.costs
        context |= {
            "plan": plan,
            "sealed": seal(asked),
            "figures": cost_figures(costs, turns=len(plan.turns), threads=plan.threads),
            "left_out": sorted(plan.left_out.items()),
            "max_calls": costs.calls_most,
            "max_tokens": costs.tokens_most,
        }
    return context


def cost_figures(costs: Costs, *, turns: int, threads: int) -> list[tuple[str, str]]:
    """What it takes, for people."""
    responses = f"{costs.responses_least:,}"
    if costs.responses_most != costs.responses_least:
        responses += f" to {costs.responses_most:,}"
    return [
        ("Turns", f"{turns:,}"),
        ("Threads", f"{threads:,}"),
        ("Creates", f"{costs.creates:,}"),
        ("Appends", f"{costs.appends:,}"),
        ("Responses", responses),
        ("Deletes, at least", f"{costs.deletes_least:,}"),
        ("Reads, at least", f"{costs.reads_least:,}"),
        ("Tokens, at most (estimated)", f"{costs.tokens_most:,}"),
    ]


def seal(asked: Asked) -> str:
    """Write down for the confirm form what was counted, so that nothing else can be started by it."""
    if asked.plan is None or asked.version_a is None:
        raise ValueError("nothing was counted")
    value = {
        "a": asked.version_a.pk,
        "b": asked.version_b.pk if asked.version_b else None,
        "threads": [thread.pk for thread in asked.threads],
        "chosen": dataclasses.asdict(asked.chosen),
        "costs": dataclasses.asdict(asked.plan.costs),
    }
    return signing.dumps(value, salt=_SALT, compress=True)


def unseal(text: str) -> Confirmed:
    """Read it back. TrialRefusedError if it was changed on its way, or what it names is gone."""
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


def _versions_checked(asked: Asked) -> list[PromptVersion]:
    if asked.version_a is None:
        raise TrialRefusedError("Name the prompt to try out, such as clerk or clerk@3.")
    if asked.version_b is None:
        return [asked.version_a]
    if asked.version_b.pk == asked.version_a.pk:
        raise TrialRefusedError("Choose two different versions to compare, or only one to try out.")
    return [asked.version_a, asked.version_b]


def _threads(fields: Mapping[str, str]) -> tuple[Thread, ...]:
    """The threads named one by one, else the newest that match the filters."""
    ids = fields["threads"].split()
    if ids:
        return threads_named(ids)
    params = {name: fields[name] for name in _FILTERS if fields[name]}
    if fields["assistant"]:
        assistant = Assistant.objects.filter(assistant_id=fields["assistant"]).first()
        if assistant is None:
            raise TrialRefusedError("There is no assistant with this id.")
        params["assistant__id__exact"] = str(assistant.pk)
    limit = _number(fields, "limit")
    if not 1 <= limit <= MAX_THREADS:
        raise TrialRefusedError(f"Take 1 to {MAX_THREADS} threads.")
    try:
        narrowed = selection_threads(selection_of_filters(params, search=fields["q"]))
        return tuple(
            narrowed.filter(snapshot_at__isnull=False).select_related("batch").order_by("-pk")[:limit]
        )
    except (ValueError, TypeError):
        raise TrialRefusedError("A filter's value can't be read: a batch is named by its number.") from None


def _number(fields: Mapping[str, str], name: str) -> int:
    text = fields[name].replace(",", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise TrialRefusedError(f"{name.capitalize()} must be a whole number.")
    return int(text)


def whole_number(data: QueryDict, name: str, words: str) -> int:
    """A number out of a form. TrialRefusedError in these words if it is none."""
    try:
        return _number({name: data.get(name, "")}, name)
    except TrialRefusedError:
        raise TrialRefusedError(f"{words} must be a whole number.") from None


def _plain(data: QueryDict, name: str) -> str:
    return str(data.get(name, "")).replace("\x00", "").strip()[:20_000]
