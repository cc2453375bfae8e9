"""The web process as it is, but for how long it waits between two heartbeats, and with the player
of breakable.py.

With QUICK_EPOCHS=kept it takes a record that is behind a screen for the same one: the machine of
socket_machine.py must see that.
"""

from __future__ import annotations

import os

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
# Before the applications are ready: static files are looked for just once.
settings.STATICFILES_DIRS = [os.environ["QUICK_STATIC"]]

from deploy.asgi import application as application  # noqa: E402

# isort: split
from billboard import feed  # noqa: E402
from billboard.consumers import ScreenConsumer  # noqa: E402

ScreenConsumer.beat_s = float(os.environ["QUICK_BEAT_S"])


def _never(place: feed.Place, head: feed.Place) -> bool:
    return False


if os.environ.get("QUICK_EPOCHS") == "kept":
    feed.STEP_MOST = 1  # type: ignore[misc]
    feed.heed = lambda screen, place: None
    feed.Place.is_ahead_of = _never  # type: ignore[assignment, method-assign]
