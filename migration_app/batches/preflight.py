"""An estimate of what an action would do. Sends and changes nothing.

Under the default policies everything is added up from the assessments on the threads' rows. Under others only
the threads that such a policy decides about are converted; ``conversion.findings.policies`` tells them by the
findings counted on their rows. A thread that has a conversation keeps the policies it has.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet, Sum

from migration_app.batches.kinds import BATCH_KINDS, batch_eligible
from migration_app.collecting import seldom_collecting
from migration_app.contracts import Fidelity, Policies, Severity, policies_as_dict
from migration_app.conversion.findings.findings import KINDS
from migration_app.conversion.findings.policies import codes_of, codes_of_other_choices
from migration_app.gateways.paging import ITEMS_PER_PAGE
from migration_app.gateways.target import CONVERSATION_READS
from migration_app.models import Chunk, Thread
from migration_app.snapshots.pages import load_source_threads
from migration_app.threads.assessments import plan_measures
from migration_app.threads.plans import plan_of
from migration_app.threads.selections import Totals, selection_threads, selection_totals

CONVERTED_THREADS = 2_000
CONVERTED_MESSAGES = 100_000
"""Most that a page converts: some seconds of a web request. The command has no limit."""

SNAPSHOT_FINDINGS: Mapping[str, Severity] = {
    "list_continues": Severity.LOSSY,
    "message_order_by_time": Severity.NOTE,
    "message_order_uncertain": Severity.TRANSFORMED,
    "object_conflict": Severity.LOSSY,
    "object_rejected": Severity.LOSSY,
    "object_states_disagree": Severity.LOSSY,
    "step_order_uncertain": Severity.TRANSFORMED,
    "transcript_contradicts": Severity.LOSSY,
}
"""Findings of putting snapshots in order (``archive.order.assemble``), which conversion does not make."""

_LONGEST_SHOWN = 5
_GROUP = 200
_NO_CONVERSATION = Q(conversation__isnull=True)
_NONE = Q(pk__in=[])
_BLOCKED = Q(fidelity=Fidelity.BLOCKED.value)


@dataclasses.dataclass(frozen=True, slots=True)
class FindingCount:
    """A kind of finding in a selection: how many threads have it, and how often in all."""

    code: str
    severity: str
    threads: int
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyEffect:
    """What one policy decides about in a selection: how many threads without a conversation, how many parts."""

    name: str
    choice: str
    threads: int
    parts: int


@dataclasses.dataclass(frozen=True, slots=True)
class LongThread:
    """One of the longest threads."""

    pk: int
    thread_id: str
    message_count: int
    item_count: int
    chunk_count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Preflight:
    """What an action of one kind would take of a selection.

    ``matching`` counts all that match, ``taken`` those that a batch would take, ``totals`` speak of those of
    them that would be sent (of all taken, for kinds that send nothing), ``blocked`` counts those that would
    stop at a finding, ``begun`` those that have a conversation already: they send only what is not there
    yet, but are counted in ``totals`` as from the start; ``items_there`` of their items are there.
    ``refused_by_status`` counts what is left out.

    ``converted`` threads had to be converted under ``policies``. Where that were too many, ``exact`` is False
    and all figures are those of the last assessments instead.

    ``sampled``: so many of the newest threads were sampled, because there are too many for a page
    (services.preflight_large); 0: all of them were. Then ``counted`` says whether the numbers of threads and the
    totals are those of all threads nevertheless, by the counters. Else they are those of the sample.
    """

    kind: str
    policies: Policies
    exact: bool
    converted: int
    matching: int
    taken: int
    blocked: int
    begun: int
    items_there: int
    totals: Totals
    refused_by_status: Mapping[str, int]
    by_fidelity: Mapping[str, int]
    findings: Sequence[FindingCount]
    effects: Sequence[PolicyEffect]
    longest: Sequence[LongThread]
    sampled: int = 0
    counted: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Converted:
    """Totals of the converted threads."""

    totals: Totals
    by_fidelity: collections.Counter[str]
    finding_threads: collections.Counter[str]
    finding_parts: collections.Counter[str]
    longest: list[LongThread]


def preflight_of(
    selection: Mapping[str, Any],
    kind: str,
    policies: Policies | None = None,
    *,
    limited: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Preflight:
    """Count what a batch of this kind would take, under these policies (else the defaults).

    Exact, to the call, for threads without a conversation, if the target refuses nothing. ``limited``: convert
    no more than a web request can wait for. ``progress`` hears how many of how many are converted.
    """
    threads = selection_threads(selection)
    return preflight_threads(threads, kind, policies or Policies(), limited=limited, progress=progress)


@seldom_collecting()
def preflight_threads(
    threads: QuerySet[Thread],
    kind: str,
    chosen: Policies,
    *,
    limited: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Preflight:
    """Count what a batch of this kind would take of these threads, each of which is read."""
    taken = batch_eligible(kind, threads)
    matching, eligible = _by(threads, "status"), _by(taken, "status")
    batch_kind = BATCH_KINDS[kind]
    converting = batch_kind.converts
    # What Retry fetches first, or only takes back into the estate, is not converted by it.
    going = (
        taken.exclude(Q(snapshot_at__isnull=True) | Q(status="excluded"))
        if batch_kind.converts_some
        else taken
    )
    deciding = _deciding_codes(chosen)
    # A re-migrated thread is sent as if there had never been a conversation: counts on its row do not apply.
    fresh = Q() if batch_kind.starts_over else _NO_CONVERSATION
    decided = Q() if batch_kind.starts_over else fresh & Q(finding_counts__has_any_keys=deciding)
    concerned = going.filter(decided)
    size = concerned.aggregate(threads=Count("pk"), messages=Sum("message_count", default=0))
    exact = not (limited and (size["threads"] > CONVERTED_THREADS or size["messages"] > CONVERTED_MESSAGES))
    splitting = converting and exact and bool(size["threads"])
    rest = Q()
    if splitting:
        rest = _NONE if batch_kind.starts_over else ~fresh | ~Q(finding_counts__has_any_keys=deciding)
    converted = _convert(concerned if splitting else concerned.none(), chosen, size["threads"], progress)
    sent = going.filter(rest).exclude(_BLOCKED) if converting else taken
    begun = sent.exclude(fresh) if converting and fresh else sent.none()
    by_fidelity = converted.by_fidelity + collections.Counter(_by(taken.filter(rest), "fidelity"))
    counted = _finding_counts(going if converting else taken)
    findings = _finding_counts(taken.filter(rest)) if splitting or going is not taken else counted
    refused = {status: count - eligible.get(status, 0) for status, count in sorted(matching.items())}
    return Preflight(
        kind=kind,
        policies=chosen,
        exact=exact,
        converted=size["threads"] if converting else 0,
        matching=sum(matching.values()),
        taken=sum(eligible.values()),
        blocked=by_fidelity.get(Fidelity.BLOCKED.value, 0) if converting else 0,
        begun=(begun_count := begun.count()),
        items_there=_items_there(begun) if begun_count else 0,
        totals=_added(selection_totals(sent), converted.totals),
        refused_by_status={status: count for status, count in refused.items() if count},
        by_fidelity=dict(by_fidelity),
        findings=_findings(findings, converted),
        effects=_effects(going.filter(fresh), counted, chosen, whole=not fresh) if converting else (),
        longest=_longest(taken.filter(rest), converted.longest),
    )


def _by(threads: QuerySet[Thread], field: str) -> dict[str, int]:
    rows = threads.order_by().values_list(field).annotate(threads=Count("pk"))
    return dict(rows.values_list(field, "threads"))


def _items_there(begun: QuerySet[Thread]) -> int:
    """Items that the conversations of these threads surely hold: of chunks whose append was answered."""
    chunks = Chunk.objects.filter(conversation__thread__in=begun.order_by(), state=Chunk.State.APPENDED)
    return int(chunks.order_by().aggregate(items=Sum("item_count", default=0))["items"])


def _deciding_codes(policies: Policies) -> list[str]:
    """Codes on the rows of threads whose plan under these policies is not the one that was assessed.

    The assessed one was made under the defaults, but for threads that a policy blocked: these keep, without
    a conversation, what was found under the policies of that batch.
    """
    defaults = policies_as_dict(Policies())
    changed = [name for name, choice in policies_as_dict(policies).items() if choice != defaults[name]]
    return sorted(codes_of_other_choices().union(*map(codes_of, changed)))


# --- converting again --------------------------------------------------------------------------------


def _convert(
    concerned: QuerySet[Thread], policies: Policies, total: int, progress: Callable[[int, int], None] | None
) -> _Converted:
    sums: collections.Counter[str] = collections.Counter()
    by_fidelity: collections.Counter[str] = collections.Counter()
    finding_threads: collections.Counter[str] = collections.Counter()
    finding_parts: collections.Counter[str] = collections.Counter()
    longest: list[LongThread] = []
    for done, (thread, measures) in enumerate(_measured(concerned, policies), start=1):
        by_fidelity[measures["fidelity"]] += 1
        finding_threads.update(measures["finding_counts"].keys())
        finding_parts.update(measures["finding_counts"])
        items, chunks = measures["item_count"], measures["chunk_count"]
        longest.append(LongThread(thread.pk, thread.thread_id, thread.message_count, items, chunks))
        if len(longest) > _GROUP:
            longest = _longest_of(longest)
        if measures["fidelity"] != Fidelity.BLOCKED.value:
            calls = 1 + chunks + max(1, -(-items // ITEMS_PER_PAGE)) + CONVERSATION_READS
            sums.update(threads=1, messages=thread.message_count, items=items, chunks=chunks, calls=calls)
            sums["payload_bytes"] += measures["payload_bytes"]
        if progress is not None:
            progress(done, total)
    totals = Totals(**{field.name: sums[field.name] for field in dataclasses.fields(Totals)})
    return _Converted(totals, by_fidelity, finding_threads, finding_parts, longest)


def _measured(concerned: QuerySet[Thread], policies: Policies) -> Iterator[tuple[Thread, Mapping[str, Any]]]:
    last = 0
    while group := list(concerned.filter(pk__gt=last).order_by("pk")[:_GROUP]):
        for loaded in load_source_threads(group):
            yield loaded.thread, plan_measures(plan_of(loaded.source, policies, None))
        last = group[-1].pk


def _added(first: Totals, second: Totals) -> Totals:
    return Totals(
        **{
            field.name: getattr(first, field.name) + getattr(second, field.name)
            for field in dataclasses.fields(Totals)
        }
    )


# --- findings and policies --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _CodeCount:
    """One code on the rows of threads: threads, parts, and parts of threads without a conversation."""

    threads: int
    parts: int
    parts_open: int


def _finding_counts(threads: QuerySet[Thread]) -> dict[str, _CodeCount]:
    begun = ExpressionWrapper(Q(conversation__isnull=False), BooleanField())
    counts = threads.order_by().annotate(begun=begun).values_list("finding_counts", "begun")
    try:
        chosen, params = counts.query.sql_with_params()
    except EmptyResultSet:  # no thread can match, Django sees
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.key, count(*), sum(f.value::bigint),"  # noqa: S608 - our own ORM query, values bound
            " coalesce(sum(f.value::bigint) FILTER (WHERE NOT s.begun), 0)"
            f" FROM ({chosen}) AS s(counts, begun), jsonb_each_text(s.counts) AS f GROUP BY f.key",
            params,
        )
        return {code: _CodeCount(*map(int, counts)) for code, *counts in cursor.fetchall()}


def _findings(stored: Mapping[str, _CodeCount], converted: _Converted) -> list[FindingCount]:
    """Both together, the most frequent first."""
    none = _CodeCount(0, 0, 0)
    found = [
        FindingCount(
            code,
            _severity(code),
            stored.get(code, none).threads + converted.finding_threads[code],
            stored.get(code, none).parts + converted.finding_parts[code],
        )
        for code in stored.keys() | converted.finding_parts.keys()
    ]
    return sorted(found, key=lambda finding: (-finding.threads, finding.code))


def _severity(code: str) -> str:
    """Severity of a code; empty for one that an older version of the console counted and this one dropped."""
    if code in SNAPSHOT_FINDINGS:
        return SNAPSHOT_FINDINGS[code].value
    return KINDS[code].severity.value if code in KINDS else ""


def _effects(
    going: QuerySet[Thread], counted: Mapping[str, _CodeCount], policies: Policies, *, whole: bool
) -> list[PolicyEffect]:
    chosen = policies_as_dict(policies)
    threads = going.order_by().aggregate(
        **{
            name: Count("pk", filter=Q(finding_counts__has_any_keys=sorted(codes_of(name))))
            for name in chosen
        }
    )
    return [
        PolicyEffect(
            name,
            choice,
            threads[name],
            sum(
                counted[code].parts if whole else counted[code].parts_open
                for code in codes_of(name)
                if code in counted
            ),
        )
        for name, choice in chosen.items()
    ]


# --- longest threads --------------------------------------------------------------------------------


def _longest(threads: QuerySet[Thread], converted: list[LongThread]) -> list[LongThread]:
    names = [field.name for field in dataclasses.fields(LongThread)]
    rows = threads.order_by("-item_count", "pk").values_list(*names)[:_LONGEST_SHOWN]
    return _longest_of([*(LongThread(*row) for row in rows), *converted])


def _longest_of(threads: Sequence[LongThread]) -> list[LongThread]:
    return sorted(threads, key=lambda thread: (-thread.item_count, thread.pk))[:_LONGEST_SHOWN]
