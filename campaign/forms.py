"""What the visitor's pages send."""

from __future__ import annotations

import uuid

from django import forms

from campaign import intake, rerolls
from campaign.enums import SOLID, KeepsakeKind
from campaign.purses import Purse


class EnlistForm(forms.Form):
    """Shapes only. Whether a photo, a name or a consent will do is intake's to say."""

    photo = forms.FileField(required=False, allow_empty_file=True)
    consent_sha256 = forms.CharField(required=False, max_length=64)
    idempotency_key = forms.CharField(required=False, max_length=64)
    plaque = forms.CharField(required=False, max_length=200)
    entry_code = forms.CharField(required=False, max_length=16)
    device = forms.CharField(required=False, max_length=64)
    kit = forms.CharField(required=False, max_length=40)
    finish = forms.CharField(required=False, max_length=40)

    def photo_bytes(self) -> bytes:
        photo = self.cleaned_data["photo"]
        return photo.read() if photo else b""

    def intake_request(self, *, language: str, paid_from: tuple[Purse, ...]) -> intake.Request:
        words = self.cleaned_data
        return intake.Request(
            idempotency_key=words["idempotency_key"] or str(uuid.uuid4()),
            consent_sha256=words["consent_sha256"],
            plaque=words["plaque"],
            entry_code=words["entry_code"],
            language=language,
            device=words["device"],
            kit=words["kit"],
            finish=words["finish"],
            paid_from=paid_from,
        )


class RerollForm(forms.Form):
    """Shapes only. Whether there may be another one is rerolls' to say."""

    seen_at = forms.DateTimeField()
    kit = forms.CharField(required=False, max_length=40)
    finish = forms.CharField(required=False, max_length=40)

    def wish(self) -> rerolls.Wish:
        return rerolls.Wish(**self.cleaned_data)


class KeepsakeForm(forms.Form):
    """Which solid; whether it may be had is keepsakes' to say."""

    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in sorted(SOLID)])

    def wanted(self) -> KeepsakeKind:
        return KeepsakeKind(self.cleaned_data["kind"])
