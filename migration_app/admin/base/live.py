"""Live parts of pages: an element that is fetched again every few seconds while something in it may still change.

The page is complete without JavaScript. An element with an id includes ``migration_app/base/live.html`` among its
attributes; ``live.js`` then asks for the address of its ``Live``, by way of htmx, and puts the element of the same id
of the answer in its place. Focus, open <details> and scrolled boxes stay; a hidden tab asks for nothing; nor does an
element whose answer says that nothing is open. While no answer comes, the page says since when it was not updated.

The address may be the page's own: asked by htmx, ``ReadOnlyAdmin.page`` leaves out everything around the content. A
page that writes an audit row for content that it shows needs a view of its own for what is live.
"""

from __future__ import annotations

import dataclasses

from django.http import HttpRequest

_WHOLE_PAGE = "admin/base_site.html"
_CONTENT_ONLY = "admin/fragment.html"


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """One live part.

    ``name``: the id of its element. ``url``: answers a GET with the element, whatever is around it. ``is_open``:
    whether something in it may still change; else it is not asked for again. ``seconds``: the pause after an answer.
    """

    name: str
    url: str
    is_open: bool = True
    seconds: int = 3


def frame_for(request: HttpRequest) -> str:
    """What a page's template extends, as ``frame``: nothing but its content for who asks for a live part of it."""
    return _CONTENT_ONLY if is_live(request) else _WHOLE_PAGE


def is_live(request: HttpRequest) -> bool:
    """Whether a live part is asked for, and not a page."""
    return request.headers.get("HX-Request") == "true"
