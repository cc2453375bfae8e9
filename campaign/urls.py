"""Addresses of the phone's pages and of private pictures."""

from django.urls import path

from campaign import views

app_name = "campaign"

urlpatterns = [
    path("", views.landing, name="landing"),
    path("c/<slug:slug>/", views.enlist, name="intake"),
    path("c/<slug:slug>/theme.css", views.theme_css, name="theme"),
    path("c/<slug:slug>/submit/", views.submit, name="submit"),
    path("s/<str:token>/", views.status, name="status"),
    path("s/<str:token>/status.json", views.status_json, name="status-json"),
    path("s/<str:token>/erase/", views.erase, name="erase"),
    path("s/<str:token>/retry/", views.retry, name="retry"),
    path("media/<str:token>", views.media_file, name="media"),
]
