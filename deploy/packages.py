"""Whether everything that the product needs is installed. Imports nothing that may be missing."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Final

from deploy.exits import ExitCode, StartFailure

REQUIREMENTS: Final = Path(__file__).parent.parent / "requirements" / "embedded.txt"


def check_packages(requirements: Path = REQUIREMENTS) -> None:
    """Raises StartFailure (MISSING_PACKAGE) unless every pinned package is there, any version."""
    missing = []
    for line in requirements.read_text().splitlines():
        name = line.partition("==")[0].strip()
        if name and not name.startswith("#"):
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                missing.append(name)
    if missing:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise StartFailure(
            ExitCode.MISSING_PACKAGE,
            f"{named} not installed; `make run` installs what is missing, or: "
            f"pip install --no-deps -r requirements/{requirements.name}",
        )
