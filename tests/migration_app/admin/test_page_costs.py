"""What each page costs: queries, and the weight of its HTML. A new page needs its line here."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import assistant_made, batch_made, conversation_made, threads_made
from tests.migration_app.admin.whole_estate import whole_estate

BADGES = 5
"""Queries of every page: those of the sidebar's badges."""

# Most queries of a list and of a row's page besides; session and person are two of each.
CEILINGS: dict[str, tuple[int, int]] = {
    "auth_group": (6, 5),
    "auth_user": (7, 5),
    "migration_app_assistant": (7, 7),
    "migration_app_auditevent": (6, 3),
    "migration_app_batch": (7, 10),
    "migration_app_conversation": (6, 5),
    "migration_app_formerconversation": (6, 4),
    "migration_app_orphanconversation": (9, 4),
    "migration_app_prompt": (6, 10),
    "migration_app_reconciliation": (6, 5),
    "migration_app_run": (6, 5),
    "migration_app_sourceimport": (6, 7),
    "migration_app_sourceobject": (6, 5),
    "migration_app_targetmodel": (13, 2),
    "migration_app_thread": (6, 14),
    "migration_app_trial": (6, 15),
}

# Most queries of the pages that belong to no row.
OTHERS = {
    "index": 32,
    "password_change": 2,
    "migration_app_sourceimport_upload": 2,
    "migration_app_reconciliation_start": 5,
    "migration_app_trial_start": 3,
    "migration_app_run_totals": 4,
}


def test_every_list_and_every_row_s_page_stays_below_its_ceiling(log_in: LogIn) -> None:
    whole_estate()
    client = log_in("superuser")
    found = {}
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        assert row is not None, f"whole_estate makes no {name}"
        counts = []
        for url in (
            reverse(f"admin:{name}_changelist"),
            reverse(f"admin:{name}_change", args=[row.pk]),
        ):
            client.get(url)  # what is read once and kept
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code in {200, 302}, url
            counts.append(len(queries) - BADGES)
        found[name] = (counts[0], counts[1])
    assert found.keys() == CEILINGS.keys()
    too_many = {
        name: (counts, CEILINGS[name])
        for name, counts in found.items()
        if counts[0] > CEILINGS[name][0] or counts[1] > CEILINGS[name][1]
    }
    assert too_many == {}


@pytest.mark.parametrize("name", OTHERS)
def test_other_pages_stay_below_their_ceiling(name: str, log_in: LogIn) -> None:
    whole_estate()
    client = log_in("superuser")
    client.get(reverse(f"admin:{name}"))
    with CaptureQueriesContext(connection) as queries:
        assert client.get(reverse(f"admin:{name}")).status_code == 200
    assert len(queries) <= OTHERS[name] + BADGES


def test_the_list_of_threads_is_light_and_offers_filters_apart_from_its_rows(log_in: LogIn) -> None:
    batch, assistant = batch_made(), assistant_made(name="An assistant with a rather long name")
    for number in range(120):
        assistant_made(name=f"Assistant {number}")
    made = threads_made(
        60,
        status="failed",
        fidelity="lossy",
        error_code="conversation_gone",
        batch=batch,
        assistant=assistant,
    )
    for number, thread in enumerate(made):
        thread.user_ref = f"user_{number:030}"
        thread.save()
        conversation_made(thread=thread, conversation_id=f"conv_{number:048}")
    page = log_in("superuser").get(reverse("admin:migration_app_thread_changelist"))
    assert len(page.context["cl"].result_list) == 50
    assert len(page.content) < 140_000


def test_no_list_weighs_more_than_a_hundred_kilobytes_without_rows(log_in: LogIn) -> None:
    client = log_in("superuser")
    heavy = {}
    for model in admin.site._registry:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        weight = len(client.get(url).content)
        if weight > 40_000:
            heavy[url] = weight
    assert heavy == {}
