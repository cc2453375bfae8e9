"""The next showing that a phone tells of."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billboard import planning
from billboard.models import Feed, Screen
from campaign import approval, lifecycle, showings
from campaign.models import Campaign
from tests.billboard.rows import approved, recall

pytestmark = pytest.mark.django_db


def test_next_showing_stands_while_somebody_else_comes_or_goes(
    campaign: Campaign, online: Screen
) -> None:
    mae, grace = approved(campaign, plaque="MAE"), approved(campaign, plaque="GRACE")
    planning.ensure(online)
    planned = showings.next_of(mae.pk)
    assert planned is not None
    ada = approved(campaign, plaque="ADA")
    recall(grace)
    assert [showings.next_of(one.pk) for one in (mae, grace, ada)] == [planned, None, None]


def test_who_is_up_again_has_no_next_showing_of_the_plan_before(
    campaign: Campaign, online: Screen
) -> None:
    mae = approved(campaign, plaque="MAE")
    planning.ensure(online)
    assert showings.next_of(mae.pk) is not None
    recall(mae)
    approval.undo(mae, actor=lifecycle.SYSTEM)
    approval.approve(mae, actor=lifecycle.SYSTEM)
    assert showings.next_of(mae.pk) is None
    planning.ensure(online)
    assert showings.next_of(mae.pk) is not None


def test_plan_of_a_past_epoch_promises_nobody(campaign: Campaign, online: Screen) -> None:
    mae = approved(campaign, plaque="MAE")
    planning.ensure(online)
    Feed.objects.update(epoch=uuid4(), head=0)
    assert showings.next_of(mae.pk) is None
    planning.ensure(online)
    assert showings.next_of(mae.pk) is not None


def test_many_are_asked_for_as_often_as_one(campaign: Campaign, online: Screen) -> None:
    people = [approved(campaign, plaque=f"P{n}").pk for n in range(8)]
    planning.ensure(online)
    alone = {}
    for pk in people:
        with CaptureQueriesContext(connection) as of_one:
            alone[pk] = showings.next_of(pk)
    with CaptureQueriesContext(connection) as of_all:
        assert showings.next_of_each(people) == alone
    assert all(alone.values())
    assert len(of_all) == len(of_one) == 4
