from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import transaction
from django.test import override_settings

from billboard import nudges
from campaign import approval, bell, lifecycle, progress, tasks
from campaign.models import Campaign, Figurine, Submission
from tests.billboard.rows import approved, in_review

HEARD_WITHIN_S = 5


@pytest.mark.django_db(transaction=True)
async def test_approval_nudges_its_campaign_with_the_head_after_commit(campaign: Campaign) -> None:
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(nudges.group(campaign.pk), channel)

    def roll_one_back() -> None:
        with transaction.atomic():
            approval.approve(in_review(campaign, plaque="NEVER"), actor=lifecycle.SYSTEM)
            transaction.set_rollback(True)

    await database_sync_to_async(roll_one_back)()
    await database_sync_to_async(approved)(campaign)
    async with asyncio.timeout(HEARD_WITHIN_S):
        assert await layer.receive(channel) == {"type": "head", "head": 1}
    await layer.flush()


@pytest.mark.django_db(transaction=True)
def test_screens_are_told_before_phones_and_brokers(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(bell.bell, "ring", lambda group, message: told.append(group))
    monkeypatch.setattr(tasks, "ring_film", lambda: told.append("broker"))
    in_review(campaign)
    Submission.objects.update(selfie="selfie.jpg")
    Figurine.objects.update(recipe={"engine": "sculpt"})
    approval.approve(Submission.objects.get(), actor=lifecycle.SYSTEM)
    assert told == [nudges.group(campaign.pk), "broker", progress.GROUP]


@pytest.mark.django_db(transaction=True)
def test_dead_channel_layer_does_not_stop_an_approval(campaign: Campaign, tmp_path: Path) -> None:
    dead = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [f"unix://{tmp_path}/nobody.sock"]},
    }
    with override_settings(CHANNEL_LAYERS={"default": dead}):
        assert approved(campaign).state == "approved"


@pytest.mark.django_db(transaction=True)
def test_hung_channel_layer_holds_approvals_up_once_and_shortly(
    campaign: Campaign, tmp_path: Path
) -> None:
    hung = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [f"unix://{tmp_path}/hung.sock"]},
    }
    with (
        socket.socket(socket.AF_UNIX) as listening,
        override_settings(CHANNEL_LAYERS={"default": hung}),
    ):
        listening.bind(f"{tmp_path}/hung.sock")
        listening.listen()
        started_s = time.monotonic()
        nudges.nudge(campaign.pk, head=1)
        first_s = time.monotonic() - started_s
        for head in range(2, 20):
            nudges.nudge(campaign.pk, head=head)
        others_s = time.monotonic() - started_s - first_s
    assert first_s >= bell.PATIENCE_S, "or it was not hung"
    assert first_s < 3
    assert others_s < 0.1
