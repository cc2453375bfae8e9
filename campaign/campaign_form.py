"""The admin's form of a campaign: what it offers, as choices out of the library that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from campaign import offers
from campaign.models import Campaign
from figurine.errors import MissingModel, UnknownKit

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def _choose_one(label: StrOrPromise) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, widget=UnfoldAdminSelectWidget, help_text=_("What a visitor sees first.")
    )


def _choose_many(label: StrOrPromise, help_text: StrOrPromise) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=help_text,
    )


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]
    engine = forms.ChoiceField(
        label=_("Engine"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("Sculpt needs nothing; the others are in docs/engines.md."),
    )
    second_engine = forms.ChoiceField(
        label=_("Second engine"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Asked where the first is away or too slow. Sculpt always comes last."),
    )
    kit = _choose_one(_("First kit"))
    finish = _choose_one(_("First finish"))
    kits = _choose_many(_("Kits on offer"), _("None ticked: every kit, later ones too."))
    finishes = _choose_many(_("Finishes on offer"), _("None ticked: every finish, later ones too."))

    class Meta:
        labels = {
            "slug": _("Address"),
            "is_paused": _("Paused"),
            "slot_s": _("Seconds as hero"),
            "promise_min": _("On a screen within minutes"),
            "nsfw_hold": _("Hold from safety score"),
            "nsfw_reject": _("Reject from safety score"),
            "quality_hold": _("Hold below face certainty"),
            "selfie_retention_h": _("Keep selfies for hours"),
            "figurine_retention_days": _("Keep figurines for days"),
            "rerolls": _("More figurines of one selfie"),
            "makes_clips": _("Clips"),
            "offers_models": _("3D models"),
            "offers_prints": _("Print files"),
            "most_faces": _("Squads: faces in a selfie"),
            "patience_s": _("Patience in seconds"),
            "engine_options": _("Options of the engine"),
            "hourly_budget_usd": _("Budget an hour, USD"),
            "budget_usd": _("Budget in all, USD"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whole = offers.whole()
        self._offer("engine", [(name, name) for name in offers.ENGINES])
        self._offer("second_engine", [("", _("None")), *((name, name) for name in offers.ENGINES)])
        self._offer("kit", [(kit.name, kit.title) for kit in whole.kits])
        self._offer("finish", [(one.name, one.title) for one in whole.finishes])
        self._offer("kits", [(kit.name, _kit_label(kit)) for kit in whole.kits])
        self._offer("finishes", [(one.name, _finish_label(one)) for one in whole.finishes])
        gone = offers.gone(self.instance)
        if gone:
            self.fields["kits"].help_text = _("Not in the library any more: %s.") % ", ".join(gone)

    def _offer(self, name: str, choices: list[tuple[str, StrOrPromise]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        names = ("engine", "second_engine", "kit", "finish", "kits", "finishes")
        of_engines = ("candidates", "likeness", "engine_options")
        words = {
            name: self.cleaned_data[name]
            for name in (*names, *of_engines)
            if name in self.cleaned_data
        }
        if len(words) < len(names) + len(of_engines):
            return cleaned
        wanted = Campaign(**words)
        try:
            offers.of(wanted).pick(wanted.kit, wanted.finish)
        except (UnknownKit, MissingModel):
            self.add_error("kit", _("Not on offer: tick it below, or begin with another one."))
            return cleaned
        try:
            offers.check(wanted)
        except (UnknownKit, MissingModel) as error:
            self.add_error("engine_options", _("No engine makes that: %s.") % error)
        return cleaned

    def clean_engine_options(self) -> dict[str, Any]:
        """Whatever Django takes for empty is no options; a list or a number is none."""
        options = self.cleaned_data["engine_options"] or {}
        if not isinstance(options, dict):
            raise forms.ValidationError(_('Write it as {"name": "value"}.'))
        return options

    def clean_theme(self) -> dict[str, str]:
        """Whatever Django takes for empty (nothing, [], null) is a theme without changes."""
        return self.cleaned_data["theme"] or {}


def _kit_label(kit: offers.Kit) -> str:
    pictures = format_html_join(
        "",
        '<img src="{}" width="48" height="60" alt="" title="{}">',
        ((one.picture, one.title) for one in kit.finishes if one.picture),
    )
    return format_html('<span class="on-offer">{} {}</span>', pictures, kit.title)


def _finish_label(finish: offers.Finish) -> str:
    bands = format_html_join(
        "",
        '<rect x="{}" width="{}" height="1" fill="{}"/>',
        ((x, w, c) for c, x, w in finish.bands),
    )
    return format_html(
        '<span class="on-offer"><svg viewBox="0 0 1 1">{}</svg> {}</span>', bands, finish.title
    )
