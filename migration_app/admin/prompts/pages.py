"""The content of a prompt's pages: a version's state, the next step and who can take it, its parts for reading.

Reads only. Texts are handed over as data and escaped by the templates.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import FIDELITY, Badge, fidelity_badge, prompt_badge
from migration_app.admin.base.people import people_text
from migration_app.admin.base.rendering import SHOWN_CHARACTERS, pretty_json
from migration_app.conversion.prompts.diff import tool_names
from migration_app.conversion.prompts.specs import spec_variables
from migration_app.conversion.text import as_list, as_object, clean_text, label
from migration_app.models import Prompt, PromptVersion
from migration_app.prompts.review import PERMISSIONS, act_refusal, decision_comment

DASHBOARD_END = dt.date(2026, 11, 30)
"""When reusable dashboard prompts (``v1/prompts``, ``pmpt_…``) shut down."""

S = PromptVersion.State
_STEPS = ((S.DRAFT, "Draft"), (S.IN_REVIEW, "In review"), (S.APPROVED, "Approved"), (S.ACTIVE, "Active"))
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    """Something to do with a version: what its button says, and why this person can't (empty: can)."""

    name: str
    button: str
    refusal: str
    needs_comment: bool = False
    is_danger: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class NextStep:
    """What a version waits for: as text, the possible actions, and who may take them."""

    title: str
    text: str
    acts: tuple[Act, ...] = ()
    who: str = ""

    @property
    def allowed(self) -> tuple[Act, ...]:
        """The acts that this person may do."""
        return tuple(act for act in self.acts if not act.refusal)

    @property
    def refusal(self) -> str:
        """Why this person may do none."""
        return "" if self.allowed or not self.acts else self.acts[0].refusal


def steps_of(version: PromptVersion) -> list[dict[str, str]]:
    """The way from draft to active, with how far this version is on it."""
    order = [state for state, _words in _STEPS]
    at = order.index(S(version.state)) if version.state in order else -1
    if version.state == S.RETIRED:
        at = len(order)
    steps = []
    for place, (_state, text) in enumerate(_STEPS):
        look = "here" if place == at else "done" if place < at else "ahead"
        steps.append({"text": text, "look": look})
    if version.state == S.REJECTED:
        steps[1:] = [{"text": "In review", "look": "done"}, {"text": "Rejected", "look": "here"}]
    if version.state == S.RETIRED:
        steps.append({"text": "Retired", "look": "here"})
    return steps


def next_step(request: HttpRequest, prompt: Prompt, version: PromptVersion) -> NextStep:
    """What comes next for this version, and whether this person can do it."""
    active = prompt.active_version
    in_use = (
        f"It takes the place of version {active.number}." if active else "It will be the first one in use."
    )
    if version.state == S.DRAFT:
        act = _act(request, version, "submit", "Ask for a review")
        text = "Read it, edit it if something is wrong, then ask for a review. Nothing uses a draft."
        return NextStep(
            "Next: ask for a review",
            text,
            (act,),
            _who_approves(request, version) if not act.refusal else _who("submit", version),
        )
    if version.state == S.IN_REVIEW:
        acts = (
            _act(request, version, "approve", "Approve"),
            _act(request, version, "reject", "Reject", needs_comment=True, is_danger=True),
        )
        text = (
            f"{version.submitted_by_name} asked for a review. Compare it with what is in use, read the "
            "findings, then approve or reject it."
        )
        return NextStep("Next: approve or reject", text, acts, _who("approve", version))
    if version.state == S.APPROVED:
        act = _act(request, version, "activate", "Activate")
        text = (
            f"{version.decided_by_name} approved it. Activate it to make it the version that is exported and "
            f"used. {in_use}"
        )
        return NextStep("Next: activate", text, (act,), _who("activate", version))
    if version.state == S.ACTIVE:
        text = (
            f"This is the version to use, activated by {version.activated_by_name}. To change it, edit it: that "
            "makes a new draft, and this one stays in use until another is activated."
        )
        return NextStep("In use", text)
    if version.state == S.REJECTED:
        comment = decision_comment(version)
        said = f": “{comment}”" if comment else ""
        text = (
            f"{version.decided_by_name} rejected it{said}. Edit it to make a new version that answers this."
        )
        return NextStep("Rejected", text)
    act = _act(request, version, "roll_back", "Roll back to this version", needs_comment=True, is_danger=True)
    now = f"Version {active.number} is in use now." if active else "No version is in use now."
    return NextStep(
        "In use before",
        f"{now} If it does harm, roll back: this version is in use again at once.",
        (act,),
        _who("roll_back", version),
    )


def _act(
    request: HttpRequest,
    version: PromptVersion,
    name: str,
    button: str,
    *,
    needs_comment: bool = False,
    is_danger: bool = False,
) -> Act:
    refusal = act_refusal(version, name, actor=actor_of(request))
    if not request.user.has_perm(PERMISSIONS[name]):
        refusal = "This step needs a permission that you do not have."
    return Act(name, button, refusal, needs_comment, is_danger)


def _who(act: str, version: PromptVersion) -> str:
    """Names of people who can do it now, a few of them."""
    names = people_text(PERMISSIONS[act], may=lambda actor: not act_refusal(version, act, actor=actor))
    return (
        f"Can be done by {names}." if names else "Nobody can do this now: give another person the permission."
    )


def _who_approves(request: HttpRequest, draft: PromptVersion) -> str:
    """Who can approve a draft once this person has asked for the review: said before it is asked for."""
    if not settings.PROMPT_APPROVAL_BY_OTHERS:
        names = people_text(PERMISSIONS["approve"])
        return f"It can then be approved by {names}." if names else "Nobody has the permission to approve it."
    names = people_text(
        PERMISSIONS["approve"],
        but=actor_of(request),
        may=lambda other: not other.may_be(name=draft.author_name, user_id=draft.author_user_id),
    )
    if not names:
        return (
            "Nobody else can approve it then: an administrator must first give another person the permission."
        )
    return f"You can't approve it yourself then. These people can: {names}."


def version_rows(versions: Sequence[PromptVersion], active: PromptVersion | None) -> list[dict[str, Any]]:
    """Versions for a table."""
    return [
        {
            "version": version,
            "state": prompt_badge(version.state),
            "fidelity": fidelity_badge(version.fidelity),
            "with_active": active is not None and active.pk != version.pk,
        }
        for version in versions
    ]


def conversion_before(version: PromptVersion) -> PromptVersion | None:
    """The conversion that an edited version goes back to: what that could not carry, an edit does not know."""
    if version.origin == PromptVersion.Origin.CONVERTED:
        return None
    return (
        PromptVersion.objects.filter(
            prompt=version.prompt_id, origin=PromptVersion.Origin.CONVERTED, number__lt=version.number
        )
        .order_by("-number")
        .first()
    )


def worse_grade(first: str, second: str) -> str:
    """The worse of two grades; empty stands for none."""
    return max(first, second, key=("", *FIDELITY).index)


def version_grades(version: PromptVersion, conversion: PromptVersion | None) -> list[Badge]:
    """The grade of a version; of one that goes back to a conversion that one's, then what itself adds."""
    own = fidelity_badge(version.fidelity)
    before = fidelity_badge(conversion.fidelity) if conversion else None
    if own is None or conversion is None or before is None:
        return [own] if own else []
    adds = f"adds: {own.text}" if version.findings else "adds no findings"
    return [
        dataclasses.replace(before, text=f"conversion, v{conversion.number}: {before.text}"),
        Badge(f"v{version.number} {adds}", own.type if version.findings else ""),
    ]


def spec_parts(version: PromptVersion) -> dict[str, Any]:
    """A spec's parts for reading: instructions cut to what a page holds, tools, other settings."""
    spec = version.spec
    instructions = spec.get("instructions")
    text = clean_text(instructions) if isinstance(instructions, str) else ""
    tools = as_list(spec.get("tools"))
    return {
        "instructions": text[:SHOWN_CHARACTERS],
        "instructions_length": len(text),
        "instructions_more": max(0, len(text) - SHOWN_CHARACTERS),
        "hidden_characters": hidden_characters(text),
        "variables": spec_variables(spec),
        "tools": [
            {"name": name, "type": label(as_object(tool).get("type")), "json": pretty_json(tool)}
            | {"text": label(as_object(tool).get("description") or "")}
            for name, tool in zip(tool_names(tools), tools, strict=True)
        ],
        "settings": [
            (name, value if isinstance(value, str) else pretty_json(value))
            for name, value in sorted(spec.items())
            if name not in ("instructions", "tools")
        ],
    }


def hidden_characters(text: str) -> str:
    """Names of characters that nobody sees on a page, such as bidirectional overrides; empty without any."""
    found = dict.fromkeys(_HIDDEN.findall(text))
    return ", ".join(f"U+{ord(character):04X}" for character in list(found)[:8])


def dashboard_text() -> tuple[str, bool]:
    """What is to be said of dashboard prompts today, and whether they have ended."""
    today = timezone.now().date()
    if today > DASHBOARD_END:
        return f"Dashboard prompts have ended on {DASHBOARD_END}: this id does nothing any more.", True
    days = (DASHBOARD_END - today).days
    left = "today" if days == 0 else f"in {days} day{'s' if days > 1 else ''}"
    return f"Dashboard prompts end on {DASHBOARD_END}, {left}. Keep the content in your own code.", False


def version_badge(number: int | None, state: str) -> Badge | None:
    """A version and its state for a list's cell."""
    return (
        dataclasses.replace(prompt_badge(state), text=f"v{number} {prompt_badge(state).text}")
        if number
        else None
    )


def versions_of(prompt: Prompt) -> QuerySet[PromptVersion]:
    """Versions without their specs, which may be megabytes."""
    return prompt.versions.defer("spec_json", "findings").order_by("-number")
