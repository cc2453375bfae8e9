from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaign.models import Campaign, Submission


@pytest.fixture
def bare(campaign: Campaign) -> Submission:
    """A submission without pictures, for tests about rows alone."""
    return Submission.objects.create(
        campaign=campaign,
        number=1,
        idempotency_key="bare",
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=24),
    )
