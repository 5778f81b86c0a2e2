"""The root of every address: each app brings its own."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from accounts.views import admin_sign_in
from config import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("admin/login/", admin_sign_in),  # ahead of the form Django would show there
    path("admin/", admin.site.urls),
    path("", include("accounts.urls")),
    path("", include("annotation.urls")),
    path("", include("rewardmodel.urls")),
    path("", include("activelearning.urls")),
]
