"""Socket addresses of this app."""

from django.urls import path

from campaign.consumers import ParticipantConsumer

# Any text: an address without a route would be a traceback; the consumer judges the token.
websocket_urlpatterns = [path("ws/s/<str:token>/", ParticipantConsumer.as_asgi())]
