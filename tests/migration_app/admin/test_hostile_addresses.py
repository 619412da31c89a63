"""Addresses that nobody clicks: whatever stands in them is refused or passed over, never an error of the console."""

from __future__ import annotations

import itertools
import logging
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.http import urlencode

from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import (
    assistant_made,
    batch_made,
    conversation_made,
    import_made,
    object_made,
    thread_made,
)

VALUES = (
    "\x00",
    "a\x00b",
    "9" * 30,
    "9223372036854775808",
    "2147483648",
    "-1",
    "1.5",
    "NaN",
    "²",
    "x" * 5_000,
    "\ud800",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "%'\"",
)
WORST = ("\x00", "9" * 30, "\ud800")
OF_EVERY_LIST = (
    *("p", "q", "o", "all", "e", "below", "_facets", "_popup", "_to_field", "_changelist_filters"),
    *("id", "id__exact", "pk__in", "id__in", "id__isnull", "nothing__exact", "at_to", "at_from"),
)
# Any lookup on any field of a list, which Django lets an address ask for.
LOOKUPS = (
    "exact",
    "regex",
    "iregex",
    "year",
    "range",
    "unaccent",
    "trigram_similar",
    "has_key",
    "contains",
    "gt",
)
KEYS = ("0", "9" * 30, "abc", "_00", "-1", "٣", "\x00")
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "pk": (0, 1, 2**31, 2**63, 10**30),
    "queue_index": (0, 1, 99, 10**30),
    "registry_index": (0, 99),
    "scheduler_index": (0, 99),
    "number": (0, 1, 2**31, 10**30),
    "position": (0, 2**31, 10**30),
    "content_type_id": (1, 2**31, 10**30),
}
FORM = "application/x-www-form-urlencoded"
WORDS = ("x", "none", "x" * 300, "a:b", "\x00", "٣")


@pytest.fixture
def estate(db: None) -> None:
    """A row of the commonest kinds, with a first primary key that is a likely one."""
    thread = thread_made(status="snapshotted")
    conversation_made(thread=thread)
    assistant_made()
    batch_made()
    import_made()
    object_made()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Django logs a traceback with each refusal."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def client(estate: None, log_in: LogIn) -> Client:
    return log_in("superuser")


def query(**params: str) -> str:
    return urlencode({name: value.encode(errors="surrogatepass") for name, value in params.items()})


def lists() -> list[str]:
    return sorted(f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry)


def filters_of(name: str) -> Iterator[str]:
    """The query parameters of a list's filters."""
    (model_admin,) = [
        found
        for model, found in admin.site._registry.items()
        if f"{model._meta.app_label}/{model._meta.model_name}" == name
    ]
    for each in model_admin.get_list_filter(RequestFactory().get("/")):
        if isinstance(each, type) and issubclass(each, SimpleListFilter):
            yield str(each.parameter_name)
        else:
            field = each[0] if isinstance(each, tuple) else str(each)
            yield from (f"{field}__exact", f"{field}__id__exact", f"{field}__in", f"{field}__isnull")


def some(values: Sequence[str], count: int, *about: str) -> list[str]:
    """``count`` of the values, others for each list and parameter: together they try all."""
    first = zlib.crc32("/".join(about).encode())
    return [values[(first + further) % len(values)] for further in range(count)]


def served(client: Client, method: str, url: str, body: str = "") -> bool:
    """Whether a page was answered, to its last byte, without an error of the console."""
    before = transaction.savepoint()
    try:
        response: Any = getattr(client, method)(
            url, **({"data": body.encode(), "content_type": FORM} if body else {})
        )
        if response.streaming:
            b"".join(response.streaming_content)
    except Exception:  # noqa: BLE001 - whatever it is, it would have been an error 500
        return False
    finally:
        transaction.savepoint_rollback(before)
    return bool(response.status_code < 500)


@pytest.mark.parametrize("name", lists())
def test_no_query_string_breaks_a_list(name: str, client: Client) -> None:
    asked = [
        *(
            (param, value)
            for param in dict.fromkeys(filters_of(name))
            for value in dict.fromkeys((*WORST, *some(VALUES, 3, name, param)))
        ),
        *(
            (param, value)
            for param in OF_EVERY_LIST
            for value in some(("\x00", "9" * 30, "-1", "²"), 1, name, param)
        ),
    ]
    broken = [
        (param, value)
        for param, value in asked
        if not served(client, "get", f"/admin/{name}/?{query(**{param: value})}")
    ]
    assert broken == []


@pytest.mark.parametrize("name", lists())
def test_no_list_looks_up_what_its_filters_do_not_ask_for(name: str, client: Client) -> None:
    offered = set(filters_of(name))
    (model,) = [
        found for found in admin.site._registry if f"{found._meta.app_label}/{found._meta.model_name}" == name
    ]
    asked = [
        param
        for field in model._meta.concrete_fields
        for param in (
            field.name,
            *(f"{field.name}__{lookup}" for lookup in some(LOOKUPS, 4, name, field.name)),
        )
        if param not in offered
    ]
    broken = [
        param
        for param in asked
        if not served(
            client, "get", f"/admin/{name}/?{query(**{param: '((' if 'regex' in param else 'a' + chr(0)})}"
        )
    ]
    assert broken == []


@pytest.mark.parametrize("name", lists())
def test_no_action_breaks_on_what_was_ticked(name: str, client: Client) -> None:
    (model_admin,) = [
        found
        for model, found in admin.site._registry.items()
        if f"{model._meta.app_label}/{model._meta.model_name}" == name
    ]
    request = RequestFactory().get("/")
    request.user = client.get("/admin/").context["user"]
    actions = [*list(model_admin.get_actions(request))[:3], "explode"]
    ticked = zip(
        ("\x00", "abc", "9" * 30, "1.5", "-1", "²", ""), itertools.cycle(("0", "1", "x")), strict=False
    )
    broken = [
        (action, value, across)
        for action, (value, across) in itertools.product(actions, ticked)
        if not served(
            client,
            "post",
            f"/admin/{name}/",
            query(action=action, _selected_action=value, select_across=across, index="0", post="yes"),
        )
    ]
    assert broken == []


@pytest.mark.parametrize("name", lists())
def test_no_key_breaks_a_row_s_page(name: str, client: Client) -> None:
    asked = [
        (method, f"/admin/{name}/{urlencode({'k': key})[2:]}/{tail}")
        for tail in ("", "change/", "delete/", "history/", "password/")
        for method in ("get", "post", "put", "delete")
        for key in some(KEYS, 3, name, tail, method)
    ]
    broken = [(method, url) for method, url in asked if not served(client, method, url)]
    assert broken == []


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + str(entry.pattern))
        else:
            yield prefix + str(entry.pattern), entry


def addresses() -> list[str]:
    """Every address with a converter in it, as a template."""
    return sorted(
        {route for route, _entry in patterns(get_resolver()) if "<" in route and "(?P" not in route}
    )


def filled(route: str) -> Iterator[str]:
    """The address with each argument hostile in turn, and plain ones beside it."""
    parts = [part.split(">") for part in route.split("<")[1:]]
    names = [part[0] for part in parts]
    choices = []
    for name in names:
        converter, _, argument = name.rpartition(":")
        values: tuple[Any, ...] = ARGUMENTS.get(argument, (0, 10**30) if converter == "int" else WORDS)
        choices.append(values)
    for turn in range(2 * max(map(len, choices))):
        # Each value twice, beside others each time.
        beside = [
            choice[(turn + place * (turn // len(choice))) % len(choice)]
            for place, choice in enumerate(choices)
        ]
        url = route
        for name, value in zip(names, beside, strict=True):
            url = url.replace(f"<{name}>", urlencode({"k": value})[2:], 1)
        yield f"/{url}"


@pytest.mark.parametrize("route", addresses())
def test_no_argument_breaks_an_address(route: str, client: Client) -> None:
    asked = f"?{query(page='9' * 30, version='9' * 30)}"
    broken = [
        (method, url)
        for url, method in itertools.product(filled(route), ("get", "post", "delete"))
        if not served(client, method, url + asked)
    ]
    assert broken == []
