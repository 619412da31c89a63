"""Tell the sign-in page what led to it: a session that ended, perhaps before a form was sent."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse


def session_end_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add ``ended`` to the address of the sign-in page: ``form`` if a form was sent, ``page`` if a session is over.

    People who come for the first time send no form and have no cookie of a session: to them nothing is said.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        login = reverse("admin:login")
        if not isinstance(response, HttpResponseRedirect) or not response.url.startswith(f"{login}?next="):
            return response
        if request.path == login or request.user.is_authenticated:
            return response
        if request.method == "POST":
            response["Location"] += "&ended=form"
        elif settings.SESSION_COOKIE_NAME in request.COOKIES:
            response["Location"] += "&ended=page"
        return response

    return answer
