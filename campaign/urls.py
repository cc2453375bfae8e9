"""Addresses of the phone's pages and of private pictures."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from campaign import door, views, webhooks
from campaign.consumers import TOKEN

app_name = "campaign"


class TokenConverter(StringConverter):
    """A submission's token; anything else is not found before the database is asked."""

    regex = TOKEN


register_converter(TokenConverter, "token")

urlpatterns = [
    path("", views.landing, name="landing"),
    path("c/<slug:slug>/", views.enlist, name="intake"),
    path("c/<slug:slug>/theme.css", views.theme_css, name="theme"),
    path("c/<slug:slug>/submit/", views.submit, name="submit"),
    path("c/<slug:slug>/mine/", views.mine, name="mine"),
    path("s/<token:token>/", views.status, name="status"),
    path("s/<token:token>/status.json", views.status_json, name="status-json"),
    path("s/<token:token>/erase/", views.erase, name="erase"),
    path("s/<token:token>/another/", views.another, name="another"),
    path("s/<token:token>/about-turn/", views.about_turn, name="about-turn"),
    path("s/<token:token>/retry/", views.retry, name="retry"),
    path("media/<str:token>", door.media_file, name="media"),
    # The viewers that phones hand a model over to ask for a name that ends in .glb.
    path("media/<str:token>/<str:name>.glb", door.media_file, name="media-model"),
    path("webhooks/fal/<str:ticket>", webhooks.fal, name="webhook"),
]
