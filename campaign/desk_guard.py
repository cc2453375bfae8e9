"""Who may come to the review desk, and that nobody acts there in the name of another."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, cast

from csp.decorators import csp_replace
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from campaign import media

PERMISSION: Final = media.CREW_PERMISSION
RENEW_EVERY_S: Final = 3600
AT_WORK: Final = "at_work_s"
"""In the session: when somebody last did something here, to the hour."""

P = ParamSpec("P")


class CrewRequest(HttpRequest):
    """A request that `guarded` has let through."""

    user: User


View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def guarded(view: Callable[Concatenate[CrewRequest, P], HttpResponseBase]) -> View[P]:
    """Crew with the permission only; nothing cached; the strict policy of the public pages.

    `user`, in the fields or the address, is whose page it came from: 403 with the name where
    somebody else has signed in on that machine since. A plain form names none.

    Whoever does something stays signed in for a shift from then on. What a page asks by itself
    does not count: a desk that was left open overnight is signed out.
    """

    @wraps(view)
    def inner(request: CrewRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        page_of = request.POST.get("user") or request.GET.get("user")
        if page_of and page_of != str(request.user.pk):
            return JsonResponse({"signed_in": request.user.get_username()}, status=403)
        if request.method == "POST":
            stay_signed_in(request)
        return view(request, *args, **kwargs)

    # Django's types know only views that take nothing but a request
    checked: Any = inner
    return cast("View[P]", csp_replace({})(admin.site.admin_view(checked)))


def stay_signed_in(request: HttpRequest) -> None:
    """A shift begins anew; written once an hour, since each writing is one of the database's."""
    now_s = int(timezone.now().timestamp())
    if not 0 <= now_s - request.session.get(AT_WORK, 0) < RENEW_EVERY_S:
        request.session[AT_WORK] = now_s
