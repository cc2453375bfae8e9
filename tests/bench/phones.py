"""What a crowd of phones that wait costs a web process: `python -m tests.bench.phones`.

One beat's questions to the record, where nobody has moved: for each phone by itself, and for some
hundred at once, as campaign/phones.py asks. A fifth of the phones is of people who are up.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import uuid
from collections.abc import Sequence

ALONE = 500
"""So many are asked for by themselves, and their cost is taken times the rest."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.phones", description=__doc__)
    parser.add_argument("--phones", type=int, default=10_000)
    parser.add_argument("--sqlite", action="store_true", help="faster to start")
    options = parser.parse_args(arguments)
    if not options.sqlite:
        os.environ["DIORAMA_TEST_DATABASE"] = "postgres"
    importlib.import_module("tests.environment")  # before Django's settings
    os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings"
    import django

    django.setup()
    _measure(options.phones)
    return 0


def _measure(count: int) -> None:
    from django.core.management import call_command

    from campaign import phones

    call_command("migrate", verbosity=0)
    everybody = _crowd(count)
    began_s = time.process_time()
    for pk in everybody[:ALONE]:
        phones.moves([pk])
    alone_s = (time.process_time() - began_s) / ALONE * count
    began_s = time.process_time()
    for n in range(0, count, phones.AT_A_GO):
        phones.moves(everybody[n : n + phones.AT_A_GO])
    together_s = time.process_time() - began_s
    load = f"load {os.getloadavg()[0]:.1f} at {time.strftime('%H:%M')}"
    print(f"{count} phones, CPU of one beat ({phones.BEAT_S:.0f} s); {load}")
    print(f"{'each by itself':24}{alone_s:8.2f} s")
    print(f"{f'{phones.AT_A_GO} at a go':24}{together_s:8.2f} s")


def _crowd(count: int) -> list[uuid.UUID]:
    from django.utils import timezone

    from billboard.models import Feed, FeedEntry
    from campaign.enums import SubmissionState
    from campaign.models import Campaign, Figurine, Submission

    campaign = Campaign.objects.create(slug="crowd", name="Crowd")
    now = timezone.now()
    people = Submission.objects.bulk_create(
        Submission(
            campaign=campaign,
            number=number,
            idempotency_key=str(number),
            kit="soldier",
            finish="painted",
            state=SubmissionState.QUEUED if number % 5 else SubmissionState.APPROVED,
            selfie_purge_at=now,
            figurine_purge_at=now,
        )
        for number in range(count)
    )
    figurines = Figurine.objects.bulk_create(
        Figurine(submission=one, recipe={}, seed=1, engine_version="1", is_chosen=True)
        for one in people
        if one.state == SubmissionState.APPROVED
    )
    feed = Feed.objects.create(campaign=campaign, head=len(figurines))
    FeedEntry.objects.bulk_create(
        FeedEntry(
            campaign=campaign,
            epoch=feed.epoch,
            seq=seq,
            kind="add",
            submission=figurine.submission,
            figurine=figurine,
        )
        for seq, figurine in enumerate(figurines, 1)
    )
    return [one.pk for one in people]


if __name__ == "__main__":
    sys.exit(main())
