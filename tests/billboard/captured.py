"""Pictures that a screen takes of itself, as it sends them and as they are kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from django.core.files.storage import storages
from PIL import Image

from billboard.models import CAPTURES, FeedEntry
from campaign.models import Submission

ADDRESS = "/screen/captures/"
SIZE = (480, 270)
Send = Callable[..., Any]


def drawn(size: tuple[int, int] = SIZE, kind: str = "WEBP") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#2f3b22").save(out, kind)
    return out.getvalue()


def seen(submission: Submission, *, is_first: bool = False) -> dict[str, Any]:
    seq = FeedEntry.objects.filter(submission=submission).order_by("-pk").values_list("seq").first()
    return {
        "submission": str(submission.pk),
        "seq": seq[0] if seq else 0,
        "is_first": is_first,
    }


def kept_files() -> list[str]:
    try:
        return storages["private"].listdir(CAPTURES)[1]
    except FileNotFoundError:
        return []
