"""Addresses at which only a POST does something; by GET they lead to the page that has the form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

P = ParamSpec("P")
_View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def posted_from(page: str, *, of_row: bool = True) -> Callable[[_View[P]], _View[P]]:
    """Have GET lead to a page by its name, with the same row (``pk``) and query.

    Signing in again, after a session that ended before a form was sent, comes by GET: the form must be there.
    """

    def decorate(view: _View[P]) -> _View[P]:
        @functools.wraps(view)
        def posted(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            if request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET", "POST"])
            url = reverse(page, args=[kwargs["pk"]] if of_row else [])
            query = request.GET.urlencode()
            return HttpResponseRedirect(f"{url}?{query}" if query else url)

        return posted

    return decorate
