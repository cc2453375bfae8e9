"""Who may import whom, read off the syntax trees. The rules stand in docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("figurine", "campaign", "billboard", "deploy")
HEAVY = {
    *("torch", "torchao", "diffusers", "transformers", "accelerate", "insightface"),
    *("mitsuba", "drjit", "pyoidn", "av", "fal_client"),
}

# Stages that turn pixels into rows and files, and what is on offer; everyone else in campaign knows
# words and numbers only.
PIXEL_STAGES = {
    *("intake", "screening", "generation", "endings", "offers", "keepsakes"),
    *("dispatch", "load", "upgrades"),
}
OPEN_TO_CAMPAIGN = {"bounds", "errors"}
OPEN_TO_BILLBOARD = {
    *("bell", "queries", "signals", "enums", "media", "showings"),
    *("callers", "ear", "purses"),
}


def modules(*packages: str) -> list[Path]:
    return sorted(
        path
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    )


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Dotted names this file imports, `from a import b` as a.b."""
    parsed = tree(path)
    for node in parsed.body if top_level else ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = list(path.relative_to(ROOT).parts[: -node.level]) if node.level else []
            stem = ".".join([*package, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def may_import(path: Path, name: str) -> bool:
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    module = rest[0]
    target, *inside = name.split(".")
    if target not in (*OURS, "django", "tests"):
        return True
    if target == "tests":
        return False
    match package:
        case "figurine":
            return target == "figurine"
        case "campaign":
            if target == "figurine":
                return module in PIXEL_STAGES or inside[0] in OPEN_TO_CAMPAIGN
            return target in ("campaign", "django")
        case "billboard":
            if target == "campaign":
                return bool(inside) and inside[0] in OPEN_TO_BILLBOARD
            return target in ("billboard", "django")
        case _:
            return True


@pytest.mark.parametrize("path", modules(*OURS), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_stay_within_the_rules(path: Path) -> None:
    assert [name for name in imports(path) if not may_import(path, name)] == []


@pytest.mark.parametrize(
    ("file", "name", "allowed"),
    [
        ("figurine/decode.py", "django.conf", False),
        ("figurine/decode.py", "figurine.errors", True),
        ("campaign/views.py", "figurine.decode", False),
        ("campaign/views.py", "figurine.errors", True),
        ("campaign/intake.py", "figurine.sandbox", True),
        ("campaign/intake.py", "billboard.feed", False),
        ("campaign/keepsakes.py", "figurine.engines", True),
        ("campaign/keepsakes.py", "billboard.feed", False),
        ("campaign/leases.py", "figurine.engines", False),
        ("billboard/feed.py", "campaign.models", False),
        ("billboard/feed.py", "campaign.queries", True),
        ("billboard/feed.py", "deploy.settings", False),
        ("deploy/asgi.py", "billboard.routing", True),
    ],
)
def test_rules_tell_right_from_wrong(file: str, name: str, allowed: bool) -> None:
    assert may_import(ROOT / file, name) is allowed


@pytest.mark.parametrize("path", modules(*OURS), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_libraries_are_imported_only_inside_engines(path: Path) -> None:
    if "engines" in path.parts:
        return
    found = {name.split(".")[0] for name in imports(path, top_level=True)}
    assert found & HEAVY == set()


def test_router_is_arithmetic_alone() -> None:
    found = {name.split(".")[0] for name in imports(ROOT / "campaign/router.py")}
    assert found <= sys.stdlib_module_names
    assert not found & {"time", "datetime", "random"}


def calls(name: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in modules(*OURS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == name
    }


def test_channel_layer_has_one_caller() -> None:
    assert calls("group_send") == {"campaign/bell.py"}


def test_broker_has_one_caller() -> None:
    # deploy/celery.py rings the sweep once when a worker starts.
    assert calls("delay") == {"campaign/tasks.py", "deploy/celery.py"}


def test_state_is_written_by_lifecycle_alone() -> None:
    writers = {
        str(path.relative_to(ROOT))
        for path in modules("campaign", "billboard")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Assign)
        for target in ast.walk(ast.Tuple(elts=node.targets, ctx=ast.Load()))
        if isinstance(target, ast.Attribute) and target.attr == "state"
    }
    assert writers == {"campaign/lifecycle.py"}


def test_environment_is_read_by_settings_alone() -> None:
    # The sculptor asks drjit's own variable whether there is an LLVM; it is none of ours.
    elsewhere = {name for name in calls("environ") if not name.startswith("deploy/")}
    assert elsewhere == {"figurine/engines/sculpt/backend.py"}


def test_web_process_loads_no_heavy_library() -> None:
    """With torch installed beside it, which makes this more than a truth about the machine."""
    code = "import sys, deploy.asgi; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    out = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
