"""Starts the whole product on this machine and keeps it up: `python -m deploy.up`, or `make run`.

Ctrl-C (SIGINT), SIGTERM and SIGHUP stop everything within five seconds, and say whose selfies are
kept; a later start goes on from there.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy import limits
from deploy.exits import ExitCode, StartFailure
from deploy.packages import check_packages
from deploy.var_folder import open_var

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns an ExitCode; says one sentence on standard error when it is not STOPPED."""
    options = _parse(arguments)
    try:
        check_packages()
        return _run(options)
    except StartFailure as failure:
        print(failure, file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:  # before the signal handlers were there
        return ExitCode.STOPPED


def _run(options: argparse.Namespace) -> int:
    from deploy.console import Console  # noqa: PLC0415 - only now known to be importable
    from deploy.installation import serve  # noqa: PLC0415
    from deploy.listening import Listening  # noqa: PLC0415

    os.umask(0o077)
    limits.raise_open_files()
    logging.raiseExceptions = False  # a full disk must not fill the terminal too
    var = open_var(options.var)
    listening = Listening.plan(
        bind=options.host,
        port=options.port,
        https=options.https,
        public_url=options.public_url,
        var=var,
    )
    console = Console()
    try:
        asyncio.run(serve(var, listening, console=console))
    finally:
        console.close()
    return ExitCode.STOPPED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.up",
        description=__doc__,
        epilog="exit status:\n" + "\n".join(f"  {code:2}  {code.meaning}" for code in ExitCode),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    parser.add_argument("--port", type=_port, default=8000)
    parser.add_argument("--https", action="store_true", help="with a self-made certificate")
    parser.add_argument(
        "--public-url",
        default=os.environ.get("DIORAMA_PUBLIC_URL", ""),
        metavar="URL",
        help="what phones and screens call this machine, if it stands behind a proxy or a tunnel",
    )
    parser.add_argument(
        "--var",
        type=Path,
        default=Path(os.environ.get("DIORAMA_VAR", ROOT / "var")),
        metavar="FOLDER",
        help="where everything is kept",
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
