"""What the soak draws from: sizes of threads, events, and every fault of the sandbox, with weights that reach the rare.

Must not import Django.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from types import MappingProxyType

SIZES: Mapping[int, int] = MappingProxyType({1: 1, 5: 2, 21: 4, 41: 4, 45: 2, 125: 2, 400: 1})
"""Messages of a thread, and how often. Of 21 and 41 the last chunk is the user's alone: no id of ours is in it."""
MATCHES: Mapping[str, int] = MappingProxyType(
    {"": 1, "POST ": 1, "GET ": 1, "POST .*/items": 4, "GET .*/items": 1, "POST /conversations$": 2}
)
EVENTS: Mapping[str, int] = MappingProxyType(
    {
        "kill worker": 2,
        "stop worker": 1,
        "freeze worker": 3,
        "kill PostgreSQL": 1,
        "silence PostgreSQL": 1,
        "kill Valkey": 1,
        "wrong clock": 1,
        "fault": 5,
        "calm": 2,
    }
)
REPEATS: Mapping[str, int] = MappingProxyType(
    {"": 2, "ids_dropped": 2, "repeats_taken": 1, "repeats_swallowed": 1}
)
"""What the target of a round does with an id that it has seen; empty: it refuses."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: how often it is drawn, between which seconds it lasts, and which requests it is about.

    ``loses``: it makes the target lose or mix up things, so a person may have to look. Then what is held against
    the estate is only that nothing verified is false.
    """

    kind: str
    weight: int = 1
    seconds: tuple[float, float] | None = None
    match: str | None = None
    status: int | None = None
    loses: bool = False


FAULTS = (
    Fault("reset_after", 2),
    Fault("error_500_after"),
    Fault("garbage"),
    Fault("error_500"),
    Fault("error_503"),
    Fault("reset_before"),
    Fault("rate_limit"),
    Fault("conversation_locked"),
    Fault("slow_body", seconds=(30.0, 30.0)),
    Fault("hang"),
    # On both sides of the client's timeout (3 s) and of the lease (5 s).
    Fault("act_late", 4, seconds=(0.5, 12.0)),
    Fault("act_late", 2, seconds=(0.5, 12.0), status=504),
    Fault("reset_act_late", 3, seconds=(0.5, 12.0)),
    Fault("answer_late", seconds=(0.5, 6.0)),
    Fault("list_lag", 2, seconds=(0.5, 4.0), match="POST .*/items"),
    Fault("list_grows", 2, seconds=(0.5, 4.0), match="POST .*/items"),
    Fault("list_newest_first", 2, seconds=(0.5, 4.0), match="POST .*/items"),
    Fault("list_flickers", 2, seconds=(0.5, 4.0), match="POST .*/items"),
    Fault("read_lag", seconds=(0.5, 3.0), match="POST /conversations$"),
    Fault("create_lag", seconds=(0.5, 2.0), match="POST /conversations$"),
    Fault("cache", 2, seconds=(1.0, 60.0), match="GET "),
    Fault("forgets_items", 2, seconds=(0.0, 2.0), match="POST .*/items", loses=True),
    Fault("forgets_conversation", seconds=(0.0, 2.0), match="POST .*/items", loses=True),
    Fault("anothers_answer", 2, loses=True),
    Fault("ignored", match="POST .*/items", loses=True),
    Fault("quoted", loses=True),
)


def drawn(chance: random.Random, weights: Mapping[str, int]) -> str:
    """Draw a name by its weight."""
    return chance.choices(list(weights), list(weights.values()))[0]


def fault_drawn(chance: random.Random, *, losing: bool) -> tuple[str, str, dict[str, float]]:
    """Draw a fault: its kind, its match and its options; one that loses only if ``losing``."""
    faults = [fault for fault in FAULTS if losing or not fault.loses]
    fault = chance.choices(faults, [fault.weight for fault in faults])[0]
    options: dict[str, float] = {"every": chance.randint(2, 12), "retry_after": 0.2}
    if fault.seconds is not None:
        options["seconds"] = round(chance.uniform(*fault.seconds), 2)
    if fault.status is not None:
        options["status"] = fault.status
    return fault.kind, fault.match or drawn(chance, MATCHES), options
