"""Retention by hand, for a machine that is packed up."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from campaign import retention


class Command(BaseCommand):
    help = (
        "Delete now what is due: selfies past their hours, figurines past their days. "
        "Harmless when run again, and beside a server that runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="every selfie, due or not; who has no figurine yet will get none",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        done = retention.purge_early() if options["all"] else retention.purge()
        left = retention.selfies()
        self.stdout.write(f"Submissions dealt with: {done}. Selfies left: {left.count()}.")
        if late := left.filter(selfie_purge_at__lte=timezone.now()).count():
            raise CommandError(f"{late} could not be deleted; the log says why. Run this again.")
