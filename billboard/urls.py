from django.urls import path

from billboard import views

app_name = "billboard"
urlpatterns = [
    path("screen/", views.screen, name="screen"),
    path("screen/session/", views.session, name="session"),
    path("screen/feed.json", views.feed_since, name="feed"),
    path("screen/acks/", views.acks, name="acks"),
    path("screen/qr.svg", views.qr, name="qr"),
]
