"""Where a producer confirms a screen: type or scan its code, see what asks, say which it is.

Reached through the admin. Opening the page changes nothing, with a code in its address either: a
code counts as tried when it is looked up.
"""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from billboard import codes
from billboard.models import PairingCode, Screen
from campaign import callers

CODE_MOST_CHARS = 40
"""Typed with spaces, or whatever a phone puts in."""


class ScreenField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Screen) -> str:
        return f"{obj.campaign.name} · {obj.name}"


class Which(forms.Form):
    """The screen that the asking browser is from now on."""

    screen = ScreenField(
        Screen.objects.none(),
        required=False,
        label=gettext_lazy("A screen there is"),
        empty_label=gettext_lazy("A new one"),
        help_text=gettext_lazy("One that is there keeps its settings; its browser goes dark."),
    )

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        found = Screen.objects.filter(is_active=True).select_related("campaign")
        cast("ScreenField", self.fields["screen"]).queryset = found


class New(forms.ModelForm):  # type: ignore[type-arg]
    """A screen that is not there yet."""

    use_required_attribute = False  # it stays empty where another one is chosen

    class Meta:
        model = Screen
        fields = ("campaign", "name")
        labels = {"name": gettext_lazy("Name")}

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        campaigns = cast("forms.ModelChoiceField[Any]", self.fields["campaign"]).queryset
        if campaigns is not None and campaigns.count() == 1:
            self.initial["campaign"] = campaigns.get()


def urls() -> list[URLPattern]:
    """What ScreenAdmin puts before its own addresses."""
    view = admin.site.admin_view(pair)
    return [path("pair/", view, name="billboard_screen_pair")]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pair(request: HttpRequest) -> HttpResponse:
    """One page in two steps: which code, then which screen."""
    if not request.user.has_perm("billboard.change_screen"):
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, code=request.GET.get("code", "")[:CODE_MOST_CHARS])
    code = request.POST.get("code", "")[:CODE_MOST_CHARS]
    producer = cast("User", request.user)
    try:
        asks = codes.look_up(code, producer=producer, address=callers.address_of(request))
        step = request.POST.get("step")
        if step == "deny":
            codes.deny(asks, producer=producer)
            messages.success(request, _("Turned away. That browser is told so."))
            return redirect("admin:billboard_screen_changelist")
        return _decided(request, asks, code) if step == "confirm" else _asked(request, asks, code)
    except codes.NotFound:
        words = _("No screen shows that code now. Look again: it changes every ten minutes.")
        return _page(request, code=code, words=words, status=404)
    except codes.TooLate:
        words = _("Somebody was quicker, or its time was over. Look at the screen again.")
        return _page(request, words=words, status=409)
    except codes.TooMany:
        words = _("Too many wrong codes. Take ten minutes, then type what the screen shows then.")
        return _page(request, words=words, status=429)


def _decided(request: HttpRequest, asks: PairingCode, code: str) -> HttpResponse:
    which = Which(request.POST)
    screen = which.cleaned_data["screen"] if which.is_valid() else None
    new = New(request.POST) if which.is_valid() and screen is None else New()
    if which.is_valid() and screen is None and _may_add(request) and new.is_valid():
        screen = new.save(commit=False)
    if screen is None:
        return _asked(request, asks, code, which=which, new=new, status=422)
    try:
        codes.confirm(asks, screen, producer=cast("User", request.user))
    except IntegrityError:  # a screen of that name came in between
        new.add_error("name", _("There is a screen of that name now."))
        return _asked(request, asks, code, which=which, new=new, status=409)
    words = _("%s is paired. It is on within five seconds.") % screen.name
    messages.success(request, words)
    return redirect(reverse("admin:billboard_screen_change", args=[screen.pk]))


def _asked(
    request: HttpRequest,
    asks: PairingCode,
    code: str,
    *,
    which: Which | None = None,
    new: New | None = None,
    status: int = 200,
) -> HttpResponse:
    return _page(
        request,
        code=code,
        asks=asks,
        seconds=(timezone.now() - asks.created_at).seconds,
        which=which or Which(),
        new=(new or New()) if _may_add(request) else None,
        status=status,
    )


def _may_add(request: HttpRequest) -> bool:
    return request.user.has_perm("billboard.add_screen")


def _page(request: HttpRequest, *, status: int = 200, **said: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": _("Pair a screen"), **said}
    return render(request, "admin/billboard/screen/pair.html", context, status=status)
