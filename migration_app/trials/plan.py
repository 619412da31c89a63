"""What a try-out would ask, and what it costs: counted from the snapshots before anything is sent. Calls no API.

The same code finds a thread's turns again when a worker asks them, so the estimate is what is done.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Sum

from migration_app.contracts import PlannedItem, Policies, SourceThread, ThreadPlan
from migration_app.conversion.chunking import chunk_items, item_bytes
from migration_app.conversion.turns import UserTurn, recorded_answer, thread_turns
from migration_app.gateways.paging import ITEMS_PER_PAGE
from migration_app.models import PromptVersion, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.plans import PlanLostError, plan_of, thread_plan

MAX_THREADS = 100
MAX_MESSAGES = 20_000
MAX_TURNS = 1_000
"""Of one try-out: a person reads every answer, and the confirm page reads every thread."""

DEFAULT_TURNS = 20
MAX_ROUNDS = 20
BYTES_A_TOKEN = 3
"""For the estimate of what a request may use at most: English has about four bytes of JSON to a token."""

FIRST, LAST = "first", "last"


class TrialRefusedError(ValueError):
    """The request can't be tried out; the text says why and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How much of each thread is taken, and how far one turn may go."""

    turns: int = DEFAULT_TURNS
    take: str = LAST
    max_rounds: int = 5
    max_output_tokens: int = 4_000


@dataclasses.dataclass(frozen=True, slots=True)
class Material:
    """A thread as a try-out uses it."""

    source: SourceThread
    plan: ThreadPlan
    turns: tuple[UserTurn, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ChosenTurn:
    """A turn that will be asked."""

    thread_pk: int
    message_id: str
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Costs:
    """Calls and tokens, over all versions. ``least`` is when every turn is answered at once by one item."""

    creates: int = 0
    appends: int = 0
    responses_least: int = 0
    responses_most: int = 0
    deletes_least: int = 0
    reads_least: int = 0
    tokens_most: int = 0

    @property
    def calls_most(self) -> int:
        """Creates, appends and responses, which the budget limits: as many as every turn may take."""
        return self.creates + self.appends + self.responses_most

    def __add__(self, other: Costs) -> Costs:
        return Costs(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))


@dataclasses.dataclass(frozen=True, slots=True)
class TrialPlan:
    """All turns of a try-out in order, what they cost, and how many turns and threads are left out, by reason."""

    turns: tuple[ChosenTurn, ...]
    threads: int
    costs: Costs
    left_out: Mapping[str, int]


def trial_plan(
    *, threads: Iterable[Thread], versions: Sequence[PromptVersion], chosen: Settings
) -> TrialPlan:
    """Choose the turns and count. TrialRefusedError where it is too much, or nothing. Reads only."""
    _check(chosen)
    rows = list(itertools.islice(threads, MAX_THREADS + 1))
    if len(rows) > MAX_THREADS:
        raise TrialRefusedError(f"These are more than {MAX_THREADS} threads. Choose fewer.")
    messages = (
        Thread.objects.filter(pk__in=[row.pk for row in rows]).aggregate(n=Sum("message_count"))["n"] or 0
    )
    if messages > MAX_MESSAGES:
        raise TrialRefusedError(
            f"These threads have {messages:,} messages; a try-out reads {MAX_MESSAGES:,} at most. Choose fewer threads."
        )
    turns: list[ChosenTurn] = []
    left_out: Counter[str] = Counter()
    costs = Costs()
    taken = 0
    for row in rows:
        material = thread_material(row)
        answered = [turn for turn in material.turns if turn.is_answered]
        picked = picked_turns(answered, chosen)
        left_out["turns without an answer of the original"] += len(material.turns) - len(answered)
        left_out[_beyond(chosen)] += len(answered) - len(picked)
        if not picked:
            left_out["threads without a turn to ask (no snapshot, or nothing answered)"] += 1
            continue
        taken += 1
        turns += [ChosenTurn(row.pk, turn.message_id, turn.number) for turn in picked]
        for version in versions:
            costs += thread_costs(material, picked, version, chosen)
    if not turns:
        raise TrialRefusedError(
            "None of these threads has a user turn that was answered, so there is nothing to try."
        )
    if len(turns) > MAX_TURNS:
        raise TrialRefusedError(
            f"These are {len(turns):,} turns; a try-out has {MAX_TURNS:,} at most. Take fewer turns a thread, or fewer "
            "threads."
        )
    return TrialPlan(tuple(turns), taken, costs, {name: count for name, count in left_out.items() if count})


def thread_material(thread: Thread) -> Material:
    """Load and convert a thread as its migration has it, and find its turns."""
    try:
        planned = thread_plan(thread)
        source, plan = planned.source, planned.plan
    except PlanLostError:
        source = load_source_thread(thread)
        plan = plan_of(source, Policies(), None)
    return Material(source, plan, thread_turns(source, plan))


def picked_turns(turns: Sequence[UserTurn], chosen: Settings) -> Sequence[UserTurn]:
    """The first or the last so many."""
    return turns[: chosen.turns] if chosen.take == FIRST else turns[-chosen.turns :]


def history_chunks(plan: ThreadPlan, start: int, stop: int) -> list[Sequence[PlannedItem]]:
    """Items ``start`` to ``stop`` of the plan as they are appended: 20 at a time, calls with their outputs."""
    part = plan.items[start:stop]
    return [part[chunk.start : chunk.stop] for chunk in chunk_items(part)]


def tokens_most(request_bytes: int, round_number: int, max_output_tokens: int) -> int:
    """What one response may use at most, by the estimate: all it reads, earlier answers of the turn, and its own."""
    return -(-request_bytes // BYTES_A_TOKEN) + (round_number + 1) * max_output_tokens


def bytes_of(items: Iterable[PlannedItem]) -> int:
    """Their size as JSON."""
    return sum(map(item_bytes, items))


def version_bytes(version: PromptVersion) -> int:
    """What of a prompt goes with each request."""
    return len(version.spec_json)


def output_limit(version: PromptVersion, chosen_limit: int) -> int:
    """Output tokens of one response at most: the try-out's, or the prompt's own where that is smaller."""
    own = version.spec.get("max_output_tokens")
    return min(own, chosen_limit) if isinstance(own, int) and own > 0 else chosen_limit


def thread_costs(
    material: Material, picked: Sequence[UserTurn], version: PromptVersion, chosen: Settings
) -> Costs:
    """What the turns of one thread cost with one version."""
    items = material.plan.items
    sizes = [0]
    for planned in items[: picked[-1].end_item]:
        sizes.append(sizes[-1] + item_bytes(planned))
    fixed, limit = version_bytes(version), output_limit(version, chosen.max_output_tokens)
    appends = responses = tokens = deletes = 0
    sent = 0
    for turn in picked:
        appends += len(history_chunks(material.plan, sent, turn.first_item))
        sent = turn.first_item
        outputs = [call.output for call in recorded_answer(material.source, turn).calls if call.is_function]
        replayed = sum(len(output.encode(errors="replace")) for output in outputs if output is not None)
        # A loop continues with recorded outputs only: where there are none, one response is all there can be.
        rounds = chosen.max_rounds if any(output is not None for output in outputs) else 1
        responses += rounds
        size = fixed + sizes[turn.end_item]
        # An output may be asked for, and so be replayed, in every round.
        tokens += sum(tokens_most(size + number * replayed, number, limit) for number in range(rounds))
        deletes += turn.end_item - turn.first_item + 1
    last = picked[-1].end_item - picked[-1].first_item + 1
    return Costs(
        creates=1,
        appends=appends,
        responses_least=len(picked),
        responses_most=responses,
        deletes_least=sent + deletes + len(picked) + 1,
        # After each turn but the last: what it left, and that it is gone. In the end: pages, an empty one, the 404.
        reads_least=2 * (len(picked) - 1) + -(-(sent + last) // ITEMS_PER_PAGE) + 2,
        tokens_most=tokens,
    )


def threads_named(thread_ids: Iterable[str]) -> tuple[Thread, ...]:
    """These threads, in this order. TrialRefusedError if one is unknown or has no snapshot."""
    ids = list(dict.fromkeys(thread_ids))
    if len(ids) > MAX_THREADS:
        raise TrialRefusedError(f"These are more than {MAX_THREADS} threads. Choose fewer.")
    rows = Thread.objects.select_related("batch").filter(snapshot_at__isnull=False, thread_id__in=ids)
    found = {row.thread_id: row for row in rows}
    missing = [thread_id for thread_id in ids if thread_id not in found]
    if missing:
        raise TrialRefusedError(
            f"{len(missing)} of these threads are unknown or have no snapshot, the first is {missing[0][:80]}."
        )
    return tuple(found[thread_id] for thread_id in ids)


def version_named(text: str) -> PromptVersion | None:
    """The version that ``slug`` (its newest) or ``slug@3`` names; None for nothing. TrialRefusedError."""
    if not text:
        return None
    slug, _, number = text.partition("@")
    versions = PromptVersion.objects.select_related("prompt").filter(prompt__slug=slug.strip())
    number = number.strip().removeprefix("v")
    if number:
        is_number = number.isascii() and number.isdigit() and len(number) < 9
        found = versions.filter(number=int(number)).first() if is_number else None
    else:
        found = versions.order_by("-number").first()
    if found is None:
        raise TrialRefusedError(
            f"There is no prompt version {text[:80]!r}; write clerk, or clerk@3 for a version."
        )
    return found


def _check(chosen: Settings) -> None:
    if not 1 <= chosen.turns <= MAX_TURNS:
        raise TrialRefusedError(f"Take 1 to {MAX_TURNS:,} turns of each thread.")
    if chosen.take not in (FIRST, LAST):
        raise TrialRefusedError("Take the first turns of each thread, or the last.")
    if not 1 <= chosen.max_rounds <= MAX_ROUNDS:
        raise TrialRefusedError(f"A turn may take 1 to {MAX_ROUNDS} responses.")
    if not 16 <= chosen.max_output_tokens <= 1_000_000:
        raise TrialRefusedError("A response may have 16 to 1,000,000 output tokens.")


def _beyond(chosen: Settings) -> str:
    side = "after the first" if chosen.take == FIRST else "before the last"
    return f"turns {side} {chosen.turns} of their thread"


def _values(costs: Costs) -> tuple[int, ...]:
    return dataclasses.astuple(costs)
