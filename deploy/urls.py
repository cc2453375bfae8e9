"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from deploy import health, login

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("admin/login/", login.enter),  # before the admin's own, whose name it has
    path("admin/", admin.site.urls),
    path("", include("campaign.urls")),
    path("", include("billboard.urls")),
]
