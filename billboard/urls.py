from django.urls import path

from billboard import views

app_name = "billboard"
urlpatterns = [
    path("screen/", views.screen, name="screen"),
    path("screen/session/", views.session, name="session"),
    path("screen/renew/", views.renew, name="renew"),
    path("screen/pair/", views.ask, name="ask"),
    path("screen/pair/poll/", views.poll, name="poll"),
    path("screen/feed.json", views.feed_since, name="feed"),
    path("screen/acks/", views.acks, name="acks"),
    path("screen/captures/", views.captures_of, name="captures"),
    path("screen/worker.js", views.worker, name="worker"),
    path("screen/shell.json", views.shell_list, name="shell"),
    path("screen/qr.svg", views.qr, name="qr"),
]
