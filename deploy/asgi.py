"""The web process: http through Django, sockets through Channels, uploads bounded before both."""

from __future__ import annotations

import gc
import os
from importlib import import_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

# Models may be imported only now that the application registry is ready.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402
from django.conf import settings  # noqa: E402

import billboard.routing  # noqa: E402
import campaign.routing  # noqa: E402
from deploy.body_limit import BodyLimit  # noqa: E402
from figurine import sandbox  # noqa: E402

# The first visitor need not wait until it is warm.
sandbox.start()

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(django_application, max_bytes=settings.UPLOAD_BODY_MAX_BYTES),
        "websocket": AllowedHostsOriginValidator(
            CookieMiddleware(
                URLRouter(
                    campaign.routing.websocket_urlpatterns + billboard.routing.websocket_urlpatterns
                )
            )
        ),
    }
)

# All that pages need, too: the first visitor does not wait for it, and it stays for good.
import_module(settings.ROOT_URLCONF)

# What is loaded by now stays for good. The collector, going through all of it anew, would hold
# every screen up for 0.1 s each time (docs/performance.md).
gc.collect()
gc.freeze()
