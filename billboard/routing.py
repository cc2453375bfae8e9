"""Socket addresses of this app."""

from django.urls import path

from billboard.consumers import ScreenConsumer

websocket_urlpatterns = [path("ws/screen/", ScreenConsumer.as_asgi())]
