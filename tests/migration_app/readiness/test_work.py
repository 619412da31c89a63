from __future__ import annotations

from functools import partial

import pytest

from migration_app.contracts import Actor
from migration_app.gateways.configured import source_connection, target_connection
from migration_app.models import AuditEvent, ReadinessCheck, Resource, TargetModel
from migration_app.prompts.needs import versions_that_count
from migration_app.readiness.checklist import readiness_of
from migration_app.readiness.checks import check_request
from migration_app.readiness.work import readiness_work
from migration_app.tasks.connections import Connections
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


@pytest.fixture
def apis(sandbox: RunningSandbox) -> Connections:
    source = partial(source_connection, base_url=sandbox.base_url, api_version="", timeout_seconds=5)
    return Connections(source, partial(target_connection, timeout_seconds=5))


def look(apis: Connections) -> ReadinessCheck:
    check_request(kind="target", actor=ADA)
    readiness_work(kind="target", actor=ADA, apis=apis)
    return ReadinessCheck.objects.get(kind="target")


def test_the_target_is_asked_for_models_and_for_what_prompts_name(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    sandbox.control.seed([{"id": "vs_1", "object": "vector_store", "created_at": 1, "status": "completed"}])
    search = {"type": "file_search", "vector_store_ids": ["vs_1", "vs_gone"]}
    version_made(prompt_made("fine"))
    version_made(prompt_made("search"), SPEC | {"tools": [search]})
    version_made(prompt_made("strange"), SPEC | {"model": "gpt-gone"})
    row = look(apis)
    assert (row.state, row.error_text, row.good_at is not None) == ("finished", "", True)
    ready = {each.version.prompt.slug: each for each in readiness_of(versions_that_count())}
    assert {slug: [problem.code for problem in each.problems] for slug, each in ready.items()} == {
        "fine": [],
        "search": ["vector_store_gone"],
        "strange": ["model_unknown"],
    }
    assert TargetModel.objects.get(model_id="o4-mini").shutdown_on is not None
    assert AuditEvent.objects.filter(verb="readiness.looked", actor="ada").count() == 1


def test_a_target_that_cant_be_asked_ends_the_check_in_words_and_keeps_what_was_known(
    apis: Connections, sandbox: RunningSandbox
) -> None:
    look(apis)
    sandbox.control.add_fault("garbage", "GET .*/models")
    row = look(apis)
    assert (row.state, row.good_at is not None) == ("failed", True)
    assert row.error_text
    assert TargetModel.objects.filter(is_listed=True).exists()


def test_a_check_that_was_stopped_goes_on_where_it_was(apis: Connections, sandbox: RunningSandbox) -> None:
    search = {"type": "file_search", "vector_store_ids": [f"vs_{number}" for number in range(40)]}
    version_made(prompt_made("search"), SPEC | {"tools": [search]})
    check_request(kind="target", actor=ADA)
    assert readiness_work(kind="target", actor=ADA, apis=apis, stop=lambda: True)
    assert Resource.objects.count() == 32
    assert not readiness_work(kind="target", actor=ADA, apis=apis)
    asked = [request for request in sandbox.control.requests() if "vector_stores" in request.path]
    assert (Resource.objects.count(), len(asked)) == (40, 40)


def test_nothing_is_done_that_nobody_asked_for(apis: Connections, sandbox: RunningSandbox) -> None:
    assert not readiness_work(kind="target", actor=ADA, apis=apis)
    assert sandbox.control.requests() == []
