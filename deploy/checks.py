"""Tools of the workshop that must be there before anyone is let in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from campaign import queries, storage, workers
from campaign.models import Campaign
from figurine import weights
from figurine.engines.hosted import address
from figurine.errors import LicenceMissing, MissingModel
from figurine.weights import manifest, store

MOST_BATCH: Final = 64
"""Far more than a card holds; beyond it somebody has mistaken what the number means."""


@register(Tags.compatibility)
def check_weights(**_: Any) -> list[CheckMessage]:
    """Every model file of the manifest is installed and is the one it should be."""
    found: list[CheckMessage] = []
    for weight in weights.ALL:
        try:
            weights.locate(weight)
        except MissingModel as missing:
            found.append(
                Error(
                    f"A model file is missing or altered: {missing}.",
                    hint="Install requirements/embedded.txt anew.",
                    id="deploy.E001",
                )
            )
    return found


@register(Tags.compatibility)
def check_gpu(**_: Any) -> list[CheckMessage]:
    """What `klein` works with is here, where this installation starts workers for it."""
    found: list[CheckMessage] = []
    if not 1 <= settings.WORKSHOP.batch <= MOST_BATCH:
        found.append(Error(f"DIORAMA_GPU_BATCH must be 1 to {MOST_BATCH}.", id="deploy.E002"))
    if settings.GPU_WORKERS < 0:
        found.append(Error("DIORAMA_GPU_WORKERS cannot be below 0.", id="deploy.E003"))
    if settings.GPU_WORKERS > 0:
        found += _unusable(["klein"])
    return found


@register(Tags.compatibility)
def check_queue(**_: Any) -> list[CheckMessage]:
    """The key of the hosted engine goes nowhere in the clear."""
    try:
        address.check_base(settings.WORKSHOP.hosted_queue)
    except ValueError as error:
        return [
            Error(
                f"DIORAMA_FAL_QUEUE cannot be used: {error}.",
                hint="Give its https address, or none for the provider's own.",
                id="deploy.E006",
            )
        ]
    return []


@register(Tags.compatibility)
def check_webhook(**_: Any) -> list[CheckMessage]:
    """A provider calls back by https alone."""
    asked = settings.FAL_WEBHOOK
    if not asked or settings.WORKSHOP.hosted_webhook.startswith("https://"):
        return []
    return [
        Warning(
            f"DIORAMA_FAL_WEBHOOK={asked} leads to no https address: results are polled for.",
            hint="Set DIORAMA_PUBLIC_URL to the https address that the world reaches.",
            id="deploy.W003",
        )
    ]


@register(Tags.files)
def check_bucket(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """What is deleted from the bucket is gone. Asked with the database, as `migrate` does: other
    commands need not wait for a store."""
    if not (databases and settings.S3_BUCKET):
        return []
    from botocore.exceptions import (  # type: ignore[import-untyped] # noqa: PLC0415 - extra `s3`
        BotoCoreError,
        ClientError,
    )

    try:
        private: Any = storage.private()
        keeps_versions = private.bucket.Versioning().status == "Enabled"
    except (BotoCoreError, ClientError) as error:
        return [
            Warning(
                f"The bucket does not say whether it keeps versions ({type(error).__name__}).",
                hint="Allow s3:GetBucketVersioning, or make sure that it keeps none.",
                id="deploy.W005",
            )
        ]
    if not keeps_versions:
        return []
    return [
        Error(
            f"The bucket {settings.S3_BUCKET!r} keeps versions, so that no face would ever be"
            " deleted: suspend its versioning and delete the old ones, or name another bucket.",
            id="deploy.E007",
        )
    ]


@register(Tags.files)
def check_left_behind(**_: Any) -> list[CheckMessage]:
    """No picture lies on this machine while all are looked for in the bucket: nobody would ever
    delete it."""
    left = storage.local_files(settings.LOCAL_FILES) if settings.S3_BUCKET else []
    if not left:
        return []
    return [
        Error(
            f"{len(left)} pictures from before there was a bucket lie in {settings.LOCAL_FILES},"
            " where nobody deletes them: run `python manage.py move_files`.",
            id="deploy.E008",
        )
    ]


@register(Tags.database)
def check_engines(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The engines that campaigns which are not over want can work. Asked with the database, as
    `migrate` does."""
    if not databases:
        return []
    try:
        campaigns = list(queries.campaigns_not_over())
        seen = {worker.engine for worker in workers.snapshot()}
    except DatabaseError:  # not migrated yet
        return []
    found = [one for campaign in campaigns for one in _unserved(campaign, seen)]
    if settings.GPU_WORKERS > 0:
        found += _lacking(campaigns)
    return found


def require_models() -> None:
    """Look for the models beside klein's own that campaigns which are not over want of a GPU's
    worker. Raises MissingModel in words that name the command for each; asks nothing where there
    are no tables."""
    try:
        campaigns = list(queries.campaigns_not_over())
    except DatabaseError:
        return
    if found := _lacking(campaigns):
        raise MissingModel(" ".join(message.msg for message in found))


def _lacking(campaigns: Iterable[Campaign]) -> list[CheckMessage]:
    models = {
        str(campaign.engine_options["model"])
        for campaign in campaigns
        if "klein" in campaign.engines and "model" in campaign.engine_options
    }
    return list(_unusable(sorted(models - {"klein"})))


def _unserved(campaign: Campaign, seen: set[str]) -> Iterator[CheckMessage]:
    whose = f"Campaign {campaign.slug!r}"
    if "klein" in campaign.engines and not settings.GPU_WORKERS and "klein" not in seen:
        yield Warning(
            f"{whose} wants klein, and no worker for it was ever seen: others do its work.",
            hint="Set DIORAMA_GPU_WORKERS, or start a worker-gpu elsewhere (docs/engines.md).",
            id="deploy.W001",
        )
    if "hosted" not in campaign.engines:
        return
    if not settings.HAS_HOSTED and "hosted" not in seen:
        # No error: `migrate` would refuse, and with it the admin in which it can be mended.
        yield Warning(
            f"{whose} wants the hosted engine, and there is no key for it: others do its work.",
            hint="Set DIORAMA_FAL_KEY, or choose another engine.",
            id="deploy.W004",
        )
    if campaign.hourly_budget_usd is None and campaign.budget_usd is None:
        yield Warning(
            f"{whose} may spend any amount on hosted figurines.",
            hint="Give it a budget, by the hour or in all.",
            id="deploy.W002",
        )


def _unusable(engines: Iterable[str]) -> Iterator[CheckMessage]:
    """Of these engines, or models of one, every set of weights that cannot be used here."""
    for one in manifest.chosen(list(engines)):
        try:
            store.check_licence(one, settings.WORKSHOP)
        except LicenceMissing as refused:
            yield Error(f"A worker for a GPU cannot start: {refused}.", id="deploy.E005")
            continue
        home = settings.WORKSHOP.weights
        if problem := store.problem(store.known(one.name, home), home):
            yield Error(f"A worker for a GPU cannot start: {problem}.", id="deploy.E004")
