"""Private files: random names, nothing served without a signed, expiring address."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from django.core.files.storage import Storage, storages

if TYPE_CHECKING:
    from campaign.models import Figurine, Keepsake, Submission


def private() -> Storage:
    """The storage of selfies and figurines; a callable, so that migrations do not freeze it."""
    return storages["private"]


SELFIES: Final = "selfies"
FIGURINES: Final = "figurines"
"""The only two folders this product keeps pictures in, and so the only ones it tidies."""


def selfie_name(submission: Submission, filename: str) -> str:
    return f"{SELFIES}/{submission.created_at:%Y%m%d}/{secrets.token_urlsafe(18)}.jpg"


def still_name(figurine: Figurine, filename: str) -> str:
    return f"{FIGURINES}/{secrets.token_urlsafe(18)}.{filename.rpartition('.')[2]}"


def keepsake_name(keepsake: Keepsake, filename: str) -> str:
    """Beside the figurine's pictures, so that the same sweep finds orphans."""
    return f"{FIGURINES}/{secrets.token_urlsafe(18)}.{filename.rpartition('.')[2]}"
