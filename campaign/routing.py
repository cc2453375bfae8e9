"""Socket addresses of this app."""

from django.urls import path

from campaign.consumers import ParticipantConsumer

websocket_urlpatterns = [path("ws/s/<str:token>/", ParticipantConsumer.as_asgi())]
