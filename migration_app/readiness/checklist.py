"""Whether prompts could be used today: is the model of each there and staying, are its vector stores and files alive.

Judged by what the target said last (``TargetModel``, ``Resource``); calls no API. Of each prompt the version counts
that is active, or without one the newest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Count

from migration_app.conversion.resources import Resource
from migration_app.models import PromptNeeds, PromptVersion, TargetModel
from migration_app.models import Resource as KnownResource
from migration_app.prompts.needs import versions_that_count
from migration_app.readiness.target_models import ModelProblem, model_problem, today

_A_FETCH = 500
_NAMED = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Readiness:
    """One prompt's relevant version, and what prevents using it."""

    version: PromptVersion
    model: str
    problems: tuple[ModelProblem, ...]

    @property
    def grade(self) -> str:
        """The worst: error, warning, unknown; ready where there is nothing."""
        found = {problem.severity for problem in self.problems}
        return next((grade for grade in ("error", "warning", "unknown") if grade in found), "ready")


@dataclasses.dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that prompts name: how many, the target's answer, what prevents using it."""

    model: str
    prompts: int
    row: TargetModel | None
    problem: ModelProblem | None


def models_in_use() -> list[ModelUse]:
    """Every model that a version that counts names, worst first."""
    counted = (
        PromptNeeds.objects.filter(version__in=versions_that_count())
        .values("model")
        .annotate(prompts=Count("pk"))
        .values_list("model", "prompts")
    )
    counts = dict(counted.order_by("model"))
    rows = _model_rows(counts)
    looked = was_checked()
    uses = [
        ModelUse(model, prompts, rows.get(model), _judged(model, rows, looked=looked))
        for model, prompts in counts.items()
    ]
    order = ("error", "warning", "unknown", None)
    return sorted(
        uses,
        key=lambda use: (order.index(use.problem.severity if use.problem else None), -use.prompts, use.model),
    )


def readiness_of(versions: Iterable[PromptVersion]) -> list[Readiness]:
    """Judge these versions, which were read with their needs and prompts."""
    listed = list(versions)
    needs = {
        each.version_id: each for each in PromptNeeds.objects.filter(version__in=[each.pk for each in listed])
    }
    rows = _model_rows({each.model for each in needs.values()})
    stores = _statuses("vector_store", (each.vector_stores for each in needs.values()))
    files = _statuses("file", (each.files for each in needs.values()))
    looked = was_checked()
    judged = []
    for version in listed:
        need = needs.get(version.pk)
        if need is None:
            unread = ModelProblem(
                "not_read", "unknown", "What it needs was not read yet: ask the target once more."
            )
            judged.append(Readiness(version, "", (unread,)))
            continue
        problems = [
            _judged(need.model, rows, looked=looked),
            *_resource_problems("vector store", need.vector_stores, stores),
            *_resource_problems("file", need.files, files),
        ]
        judged.append(Readiness(version, need.model, tuple(problem for problem in problems if problem)))
    return judged


def resources_named() -> list[Resource]:
    """Vector stores and files that versions that count name, each once."""
    found: dict[tuple[str, str], Resource] = {}
    needs = PromptNeeds.objects.filter(version__in=versions_that_count()).order_by("pk")
    for need in needs.iterator(chunk_size=_A_FETCH):
        for store in need.vector_stores:
            found.setdefault(
                ("vector_store", store), Resource("vector_store", store, "tools", "assistant", "", "tools")
            )
        for file in need.files:
            found.setdefault(("file", file), Resource("file", file, "tools", "assistant", "", "tools"))
    return list(found.values())


def was_checked() -> bool:
    """Whether the target's list of models was ever read."""
    return TargetModel.objects.exists()


def _judged(model: str, rows: Mapping[str, TargetModel], *, looked: bool) -> ModelProblem | None:
    return model_problem(model, rows.get(model), looked=looked, on=today())


def _model_rows(models: Iterable[str]) -> dict[str, TargetModel]:
    return {row.model_id: row for row in TargetModel.objects.filter(model_id__in=list(models))}


def _statuses(kind: str, ids: Iterable[Sequence[str]]) -> dict[str, str]:
    wanted = sorted({each for some in ids for each in some})
    found = KnownResource.objects.filter(kind=kind, resource_id__in=wanted)
    return dict(found.values_list("resource_id", "status"))


def _resource_problems(text: str, ids: Sequence[str], statuses: Mapping[str, str]) -> list[ModelProblem]:
    """What is missing, and what is unchecked; one problem a kind."""
    gone = [each for each in ids if statuses.get(each) in ("missing", "expired")]
    unseen = [each for each in ids if each not in statuses]
    problems = []
    if gone:
        listed = ", ".join(f"{each} ({statuses[each]})" for each in gone[:_NAMED]) + _more(gone)
        problems.append(
            ModelProblem(f"{text.replace(' ', '_')}_gone", "error", f"The target lacks: {text} {listed}.")
        )
    if unseen:
        listed = ", ".join(unseen[:_NAMED]) + _more(unseen)
        problems.append(
            ModelProblem(
                f"{text.replace(' ', '_')}_not_looked_at", "unknown", f"Not checked yet: {text} {listed}."
            )
        )
    return problems


def _more(listed: Sequence[str]) -> str:
    return f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
