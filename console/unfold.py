"""The skin: django-unfold's settings. Read by console.settings; must not import anything of the application."""

from __future__ import annotations

import functools
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.module_loading import import_string

_SITE = "migration_app.admin.base.site"
_BADGES = "migration_app.admin.operation.sidebar"
_INDEX = "admin:index"


def _style(_request: HttpRequest) -> str:
    return static("migration_app/console.css")


def _script(_request: HttpRequest) -> str:
    return static("migration_app/console.js")


def _drafts(_request: HttpRequest) -> str:
    return static("migration_app/drafts.js")


def _live_script(_request: HttpRequest) -> str:
    return static("migration_app/live.js")


def _lists_style(_request: HttpRequest) -> str:
    return static("migration_app/lists.css")


def _lists_script(_request: HttpRequest) -> str:
    return static("migration_app/lists.js")


def _favicon(_request: HttpRequest) -> str:
    return static("migration_app/favicon.svg")


@functools.cache
def _address(url_name: str, prefix: str) -> str:  # noqa: ARG001 - addresses begin with it
    return reverse(url_name)


def _item(
    title: str, icon: str, url_name: str, permission: str = "may_view_threads", badge: str = ""
) -> dict[str, str]:
    return {
        "title": title,
        "icon": icon,
        "url_name": url_name,
        "permission": f"{_SITE}.{permission}" if permission else "",
        "badge": f"{_BADGES}.{badge}" if badge else "",
    }


_NAVIGATION: list[dict[str, Any]] = [
    {
        "title": "Work",
        "items": [
            _item("Dashboard", "dashboard", _INDEX, permission=""),
            _item("Review", "rate_review", "review_queue", badge="review_badge"),
            _item("Threads", "forum", "admin:migration_app_thread_changelist"),
            _item(
                "Batches",
                "playlist_play",
                "admin:migration_app_batch_changelist",
                badge="batches_badge",
            ),
            _item("Imports", "upload_file", "admin:migration_app_sourceimport_changelist"),
        ],
    },
    {
        "title": "Estate",
        "items": [
            _item("Assistants", "smart_toy", "admin:migration_app_assistant_changelist"),
            _item(
                "Prompts",
                "description",
                "admin:migration_app_prompt_changelist",
                badge="prompts_badge",
            ),
            _item("Readiness", "health_and_safety", "admin:migration_app_targetmodel_changelist"),
            _item("Try-outs", "experiment", "admin:migration_app_trial_changelist"),
            _item("Runs", "bolt", "admin:migration_app_run_changelist"),
            _item("Conversations", "chat", "admin:migration_app_conversation_changelist"),
            _item("Former conversations", "history", "admin:migration_app_formerconversation_changelist"),
            _item("Source objects", "inventory_2", "admin:migration_app_sourceobject_changelist"),
        ],
    },
    {
        "title": "Proof",
        "items": [
            _item("Audit trail", "fact_check", "admin:migration_app_auditevent_changelist"),
            _item("Reconciliations", "balance", "admin:migration_app_reconciliation_changelist"),
            _item(
                "Orphan ledger",
                "link_off",
                "admin:migration_app_orphanconversation_changelist",
                badge="orphans_badge",
            ),
        ],
    },
    {
        "title": "System",
        "items": [
            _item("Job queues (RQ)", "dns", "django_rq:home", "is_superuser"),
            _item("Users", "person", "admin:auth_user_changelist", "may_manage_users"),
            _item("Groups", "group", "admin:auth_group_changelist", "may_manage_users"),
        ],
    },
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar's groups, with the entries that this person may use and the one that is open.

    The skin would make a class for each question, and an address three times for each entry, on every page.
    """
    return [
        {
            "title": group["title"],
            "items": [
                _shown(item, request)
                for item in group["items"]
                if not item["permission"] or import_string(item["permission"])(request)
            ],
        }
        for group in _NAVIGATION
    ]


def _shown(item: dict[str, str], request: HttpRequest) -> dict[str, Any]:
    url = _address(item["url_name"], get_script_prefix())
    is_open = request.path == url if item["url_name"] == _INDEX else request.path.startswith(url)
    shown = {"title": item["title"], "icon": item["icon"], "link": url, "active": is_open}
    return shown | ({"badge": item["badge"], "badge_variant": "warning"} if item["badge"] else {})


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Migration console",
    "SITE_HEADER": "Migration console",
    "SITE_SYMBOL": "conversion_path",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "migration_app.admin.operation.dashboard.dashboard_context",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _favicon}],
    "STYLES": [_style, _lists_style],
    "SCRIPTS": [_script, _drafts, _live_script, _lists_script],
    "COLORS": {
        "primary": {
            "50": "oklch(96.2% .018 272.314)",
            "100": "oklch(93% .034 272.788)",
            "200": "oklch(87% .065 274.039)",
            "300": "oklch(78.5% .115 274.713)",
            "400": "oklch(67.3% .182 276.935)",
            "500": "oklch(58.5% .233 277.117)",
            "600": "oklch(51.1% .262 276.966)",
            "700": "oklch(45.7% .24 277.023)",
            "800": "oklch(39.8% .195 277.366)",
            "900": "oklch(35.9% .144 278.697)",
            "950": "oklch(25.7% .09 281.288)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": navigation,
    },
}
