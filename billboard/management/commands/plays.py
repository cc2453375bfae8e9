"""Proof of play on the command line. docs/proof.md tells more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billboard import proof, proof_export
from billboard.proof_export import Wanted


class Command(BaseCommand):
    help = "Export what screens have shown, or count it by the hour."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        export = actions.add_parser("export", help="write plays, or their hours, to the output")
        export.add_argument("--campaign", default="", help="its address, as in /c/ADDRESS/")
        export.add_argument("--since", help="a day, or a moment: 2026-11-27, 2026-11-27T18:00")
        export.add_argument("--until", help="a day, to its end; or a moment, which is excluded")
        export.add_argument("--format", choices=("csv", "jsonl"), default="csv")
        export.add_argument("--by", choices=("play", "hour"), default="play")
        rollup = actions.add_parser("rollup", help="count the hours that have changed")
        rollup.add_argument("--all", action="store_true", help="every hour, from the plays")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "rollup":
            if options["all"]:
                proof.begin_anew()
            done = proof.roll_up()
            self.stdout.write("1 hour counted" if done == 1 else f"{done} hours counted")
            return
        wanted = Wanted(
            since=_moment(options["since"], proof_export.begin_of),
            until=_moment(options["until"], proof_export.end_of),
            campaign=options["campaign"],
            by=options["by"],
            format=options["format"],
        )
        if wanted.campaign and not proof_export.has_campaign(wanted.campaign):
            raise CommandError(f"No campaign has the address {wanted.campaign}.")
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            raise CommandError("The end is before the begin.")
        for piece in proof_export.pieces(wanted):
            self.stdout.write(piece.decode(), ending="")


def _moment(text: str | None, read: Callable[[str], datetime]) -> datetime | None:
    if not text:
        return None
    try:
        return read(text)
    except ValueError:
        raise CommandError(f"{text} is no day or moment: write 2026-11-27.") from None
