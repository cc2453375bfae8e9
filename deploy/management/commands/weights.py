"""Large model files: what there is, bring it, check it, pin it. docs/weights.md tells more."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from deploy.console import ARMY, BOLD, FAINT, SIGNAL
from deploy.meter import Meter, Out, paint, size_of
from figurine.engines.workshop import Workshop
from figurine.errors import LicenceMissing, MissingModel
from figurine.weights import fetching, manifest, sources, store
from figurine.weights.manifest import File, Set
from figurine.weights.sources import FetchFailed

HELP = {
    "list": "what sets there are, how large, under which licence, and which are here",
    "fetch": "bring sets, going on where the last try ended",
    "verify": "read every byte of the sets that are here",
    "pin": "write down what the bytes of sets should be that the manifest leaves open",
}


class Command(BaseCommand):
    help = "List, fetch, verify and pin the weights of the engines that need a GPU."
    # A start without its weights is refused, but this is what brings them.
    requires_system_checks: list[str] | tuple[str, ...] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for action, told in HELP.items():
            one = actions.add_parser(action, help=told, description=told.capitalize() + ".")
            one.add_argument("names", nargs="*", metavar="NAME", help="a set, or an engine's name")
            if action in ("fetch", "pin"):
                one.add_argument(
                    "--from",
                    dest="mirror",
                    default=SUPPRESS,
                    metavar="MIRROR",
                    help="a folder or http address laid out as a weights folder is",
                )

    def handle(self, *args: Any, **options: Any) -> None:
        workshop: Workshop = settings.WORKSHOP
        mirror = options.get("mirror", settings.WEIGHTS_MIRROR)
        names: list[str] = options["names"]
        try:
            match options["action"]:
                case "list":
                    self._list(names, workshop)
                case "fetch":
                    self._fetch(names, workshop, mirror)
                case "verify":
                    self._verify(names, workshop)
                case "pin":
                    self._pin(names, workshop, mirror)
        except (FetchFailed, MissingModel) as failed:
            raise CommandError(_sentence(str(failed))) from failed
        except KeyboardInterrupt as stopped:
            raise CommandError("Stopped; what has arrived is kept.", returncode=130) from stopped

    def _list(self, names: Sequence[str], workshop: Workshop) -> None:
        sets = manifest.chosen(names) if names else manifest.all_sets()
        rows = [(one, *_state(one, workshop)) for one in sets]
        wide = [
            max(len(text) for text in column)
            for column in zip(
                *((one.name, size_of(one.bytes), one.licence) for one, *_ in rows), strict=True
            )
        ]
        for one, mark, code, words in rows:
            name = self._paint(one.name.ljust(wide[0]), BOLD)
            self.stdout.write(
                f"{self._paint(mark, code)} {name}  {size_of(one.bytes):>{wide[1]}}"
                f"  {one.licence:{wide[2]}}  {self._paint(words, code)}"
            )
            use = "commercial use" if one.is_commercial else "not for commercial use"
            needs = f" · with {', '.join(one.needs)}" if one.needs else ""
            about = f"{one.repository} · {one.purpose} · {use}{needs}"
            self.stdout.write(f"  {self._paint(about, FAINT)}")
        self.stdout.write(self._paint(f"They lie in {workshop.weights}", FAINT))

    def _fetch(self, names: Sequence[str], workshop: Workshop, mirror: str) -> None:
        if not names:
            raise CommandError(f"Say which: {_known()}.")
        sets = [store.known(one.name, workshop.weights) for one in manifest.chosen(names)]
        source = sources.mirror(mirror) if mirror else sources.hub()
        for one in sets:
            self.stdout.write(
                f"{self._paint(one.name, BOLD)} {size_of(one.bytes)} from {source}, {one.licence}"
            )
            try:
                store.check_licence(one, workshop)
            except LicenceMissing as refused:
                self._warn(f"{refused}; until then no engine here will load it")
            fetching.fetch(one, workshop.weights, source, watch=self._meter())
            self.stdout.write(f"{self._paint('✓', ARMY)} {one.name} is here and verified")

    def _verify(self, names: Sequence[str], workshop: Workshop) -> None:
        sets = manifest.chosen(names) if names else _here(workshop.weights)
        if not sets:
            raise CommandError(f"There are no weights in {workshop.weights}.")
        wrong = 0
        for one in sets:
            one = store.known(one.name, workshop.weights)
            meter = self._meter()
            meter.begin(File(one.name, one.bytes), done_bytes=0)
            found = store.verify(one, workshop.weights, read=meter.read)
            meter.end()
            wrong += bool(found)
            for trouble in found:
                self._warn(f"{one.name}: {trouble}")
            if not found:
                self.stdout.write(f"{self._paint('✓', ARMY)} {one.name} is right, byte for byte")
        if wrong:
            raise CommandError(f"{wrong} of {len(sets)} sets are not as they should be.")

    def _pin(self, names: Sequence[str], workshop: Workshop, mirror: str) -> None:
        sets = manifest.chosen(names) if names else manifest.all_sets()
        for one in sets:
            if store.known(one.name, workshop.weights).is_pinned and not names:
                continue
            stated = self._stated(one, mirror)
            fetching.pin(stated, one, workshop.weights)
            self.stdout.write(
                f"{self._paint('✓', ARMY)} {one.name} is pinned at"
                f" {stated.revision or 'what the mirror has'}: {len(stated.files)} files,"
                f" {size_of(stated.bytes)}"
            )

    def _stated(self, one: Set, mirror: str) -> Set:
        if not mirror:
            return sources.stated_by_hub(one)
        source = sources.mirror(mirror)
        if not isinstance(source, sources.Folder):
            raise CommandError("Pin from the hub or from a folder: an http mirror states nothing.")
        meter = self._meter()
        meter.begin(File(one.name, one.bytes), done_bytes=0)
        try:
            return sources.stated_by_folder(one, source.path, read=meter.read)
        finally:
            meter.end()

    def _meter(self) -> Meter:
        return Meter(cast(Out, self.stdout._out))  # Django's own would end each write with a line

    def _warn(self, text: str) -> None:
        self.stdout.write(f"{self._paint('!', BOLD, SIGNAL)} {text}")

    def _paint(self, text: str, *codes: str) -> str:
        return paint(self.stdout, text, *codes)


def _state(one: Set, workshop: Workshop) -> tuple[str, str, str]:
    """How a set stands here: a mark, its colour, and words."""
    one = store.known(one.name, workshop.weights)
    home = workshop.weights / one.name
    if not store.problem(one, workshop.weights):
        try:
            store.check_licence(one, workshop)
        except LicenceMissing:
            return "!", SIGNAL, "here, but needs a licence"
        return "✓", ARMY, "here"
    if not one.is_pinned:
        return "?", SIGNAL, "not pinned"
    there = sum(
        path.stat().st_size
        for file in one.files
        for path in (home / file.path, home / (file.path + fetching.PART))
        if path.is_file()
    )
    if not there:
        return "·", FAINT, "not here"
    if there < one.bytes:
        return "…", SIGNAL, f"{100 * there // one.bytes} % here"
    return "!", SIGNAL, "not verified as it is"


def _here(weights: Path) -> tuple[Set, ...]:
    return tuple(one for one in manifest.all_sets() if (weights / one.name).is_dir())


def _known() -> str:
    engines = dict.fromkeys(engine for one in manifest.all_sets() for engine in one.needed_by)
    return f"{', '.join(one.name for one in manifest.all_sets())}; or of {', '.join(engines)} all"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
