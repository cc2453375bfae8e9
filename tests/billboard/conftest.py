from __future__ import annotations

import pytest

from billboard import pairing
from billboard.models import Screen
from campaign.models import Campaign


@pytest.fixture
def other_campaign(db: None) -> Campaign:
    return Campaign.objects.create(slug="other", name="Rival Company")


@pytest.fixture
def screen(campaign: Campaign) -> Screen:
    return Screen.objects.create(campaign=campaign, name="Broadway 1")


@pytest.fixture
def token(screen: Screen) -> str:
    return pairing.issue_token(screen)
