"""What a person sees when all is up: where to go, and a code for the phone."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import urlsplit

import segno

from deploy.console import ARMY, BOLD, FAINT, KRAFT, SIGNAL, Console
from deploy.first_run import FirstRun

QUIET_ZONE_MODULES: Final = 2
"""The standard asks for 4; phones read 2 on a field of their own, and the code stays small."""

BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"
BLACK_CELL: Final = "\x1b[48;5;16m \x1b[48;5;231m"

GAP: Final = "   "
THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
"""Nobody else reads what is sent there."""


def show_summary(
    console: Console,
    first_run: FirstRun,
    *,
    width: int,
    took_s: float,
    zone: str,
    is_self_made: bool,
) -> None:
    """Prints the links beside the phone's code, or below it where the terminal is narrow."""
    code = qr_lines(first_run.phone_url, colour=console.colour)
    code_width = len(qr_lines(first_run.phone_url, colour=False)[0])
    lines = partial(
        _text_lines, first_run=first_run, took_s=took_s, zone=zone, is_self_made=is_self_made
    )
    text = lines(console)
    longest = max(map(len, lines(None)))
    console.say()
    if code_width + longest + 2 * len(GAP) <= width:
        above = max((len(code) - len(text)) // 2, 0)
        text = [""] * above + text
        rows = max(len(code), len(text))
        code += [" " * code_width] * (rows - len(code))
        text += [""] * (rows - len(text))
        for left, right in zip(code, text, strict=True):
            console.say(f"  {left}{GAP}{right}".rstrip(" "))
    else:
        for line in [*code, "", *text]:
            console.say(f"  {line}")
    console.say()


def qr_lines(text: str, *, colour: bool) -> list[str]:
    """The QR code in half blocks, two rows of modules a line, its quiet zone included.

    With colour it is black on white whatever the terminal's own colours are. Without, light modules
    are the blocks, which is right on a dark terminal.
    """
    modules = [
        [bool(module) == colour for module in row]
        for row in segno.make(text, error="m").matrix_iter(border=QUIET_ZONE_MODULES)
    ]
    modules += [[not colour] * len(modules[0])] * (len(modules) % 2)
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    lines = [
        "".join(blocks[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(modules[::2], modules[1::2], strict=True)
    ]
    if not colour:
        return lines
    # Full cells by their background: where lines are spaced apart, glyphs would leave seams.
    return [f"{BLACK_ON_WHITE}{line.replace('█', BLACK_CELL)}\x1b[0m" for line in lines]


def _text_lines(
    console: Console | None, first_run: FirstRun, *, took_s: float, zone: str, is_self_made: bool
) -> list[str]:
    """The words, painted if there is a console."""

    def paint(text: str, *codes: str) -> str:
        return console.paint(text, *codes) if console else text

    kept = f"in {first_run.password_file}" if first_run.password_file else "yours"
    password = first_run.password or kept
    lines = [
        f"{paint('DIORAMA', BOLD, SIGNAL)}  {paint(f'up in {took_s:.1f} s', FAINT)}",
        "",
        f"{paint('Phone  ', BOLD, SIGNAL)}  {first_run.phone_url}",
        f"{paint('Desk   ', BOLD, ARMY)}  {first_run.review_url}",
        f"{paint('Screen ', BOLD, KRAFT)}  {first_run.screen_url}",
        "",
        f"{paint('Account', FAINT)}  {first_run.username}",
        f"{paint('Password', FAINT)} {password}",
    ]
    if first_run.password:
        lines.append(paint(f"         shown this once, kept in {first_run.password_file}", FAINT))
    lines.append(f"{paint('Times', FAINT)}    {zone}")
    address = urlsplit(first_run.phone_url)
    if address.scheme == "http" and address.hostname not in THIS_MACHINE:
        lines += [
            "",
            paint("In the clear: whoever is in this network can read", BOLD, SIGNAL),
            paint("selfies and the password.  make run HTTPS=1", BOLD, SIGNAL),
            paint("Phones need that for the live camera, too.", FAINT),
        ]
    elif address.scheme == "http":
        lines += ["", paint("Live camera on phones needs https:  make run HTTPS=1", FAINT)]
    elif is_self_made:
        lines += ["", paint("Self-made certificate: browsers ask once whether to go on.", FAINT)]
    return [*lines, paint("Ctrl-C stops everything.", FAINT)]
