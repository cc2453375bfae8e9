"""Which content security policy a page gets."""

from __future__ import annotations

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse


class PagePolicy(CSPMiddleware):
    """The strict policy everywhere; the admin's own pages may do what django-unfold needs.

    A view decorated with `csp_replace` decides for itself: the review desk stays strict.
    """

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: PolicyParts = super().get_policy_parts(request, response, report_only)
        if parts.replace is None and request.path.startswith(reverse("admin:index")):
            parts.replace = settings.ADMIN_CSP
        return parts
