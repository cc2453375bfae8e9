from __future__ import annotations

import ast
import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.urls import resolve
from storages.backends.s3 import S3Storage

from campaign import generation, webhooks
from tests.campaign.test_storage import bucket  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (ROOT / "deploy/settings.py").read_text()


def load(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of their own, with these variables and no others of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIORAMA_")}
    return subprocess.run(
        [sys.executable, "-c", f"from deploy import settings; print({code})"],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_setting_is_documented() -> None:
    read = set(re.findall(r'"(DIORAMA_[A-Z0-9_]+)"', SETTINGS))
    told = set(
        re.findall(r"^\| `(DIORAMA_[A-Z0-9_]+)`", (ROOT / "docs/settings.md").read_text(), re.M)
    )
    assert read == told


def test_secret_missing_is_a_loud_failure(tmp_path: Path) -> None:
    done = load("settings.SECRET_KEY", DIORAMA_VAR=str(tmp_path))
    assert done.returncode != 0
    assert "DIORAMA_SECRET_KEY" in done.stderr


def test_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file")
    done = load("settings.SECRET_KEY", DIORAMA_VAR=str(tmp_path), DIORAMA_SECRET_KEY_FILE=str(file))
    assert done.stdout.strip() == "from-a-file"


def test_file_may_end_with_a_newline(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k\n")
    done = load(
        "repr(settings.WORKSHOP.hosted_key)",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_FAL_KEY_FILE=str(file),
    )
    assert done.stdout == "'k'\n"


def test_command_finds_the_secret_that_make_run_has_made(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("made\n")
    asked = {"DIORAMA_VAR": str(tmp_path)}
    assert load("settings.SECRET_KEY", **asked).stdout == "made\n"
    assert load("settings.SECRET_KEY", **asked, DIORAMA_SECRET_KEY="k").stdout == "k\n"


@pytest.mark.parametrize(
    ("url", "secure"), [("https://x.example", "True"), ("http://x.example", "False")]
)
def test_cookies_are_secure_where_the_public_address_is(
    tmp_path: Path, url: str, secure: str
) -> None:
    done = load(
        "settings.SESSION_COOKIE_SECURE",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_PUBLIC_URL=url,
    )
    assert done.stdout.strip() == secure


PRESIGN = """(
    settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"][-1],
    __import__("storages.backends.s3").backends.s3.S3Storage(
        **settings.PRIVATE_STORAGE["OPTIONS"], access_key="key", secret_key="secret"
    ).url("a.jpg"),
)"""


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, "https://pics.s3.us-east-1.amazonaws.com/a.jpg"),
        ({"REGION": "eu-central-1"}, "https://pics.s3.eu-central-1.amazonaws.com/a.jpg"),
        (
            {"REGION": "eu-central-1", "BUCKET": "pics.example"},
            "https://s3.eu-central-1.amazonaws.com/pics.example/a.jpg",
        ),
        ({"ENDPOINT": "https://store.example:9000/"}, "https://store.example:9000/pics/a.jpg"),
    ],
)
def test_bucket_is_signed_for_the_host_that_pages_may_load(
    tmp_path: Path, variables: dict[str, str], address: str
) -> None:
    named = {
        f"DIORAMA_S3_{name}": value for name, value in ({"BUCKET": "pics"} | variables).items()
    }
    done = load(
        f"*{PRESIGN}",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DJANGO_SETTINGS_MODULE="deploy.settings",
        **named,
    )
    allowed, signed = done.stdout.split()
    assert signed.split("?")[0] == address
    assert address.startswith(f"{allowed}/")
    assert allowed.count("/") == 2, "an origin"


UPLOAD = """(
    store := __import__("storages.backends.s3").backends.s3.S3Storage(
        **settings.PRIVATE_STORAGE["OPTIONS"]
    ),
    store.bucket.Object(store.save("a.stl", __import__("io").BytesIO(bytes(42_000_000)))).e_tag,
)[1]"""


def test_bucket_is_given_no_file_in_pieces(
    tmp_path: Path,
    bucket: S3Storage,  # noqa: F811
) -> None:
    done = load(
        UPLOAD,
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_S3_BUCKET=bucket.bucket_name,
        DIORAMA_S3_ENDPOINT=bucket.endpoint_url,
        DJANGO_SETTINGS_MODULE="deploy.settings",
    )
    # The tag of a file in pieces ends with their number.
    assert re.fullmatch(r'"[0-9a-f]{32}"', done.stdout.strip()), done


def test_bucket_that_hangs_is_away_long_before_a_lease_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        done = load(
            "__import__('tests.deploy.hung_bucket').deploy.hung_bucket.outcome()",
            DIORAMA_VAR=str(tmp_path),
            DIORAMA_SECRET_KEY="k",
            DIORAMA_S3_BUCKET="pics",
            DIORAMA_S3_ENDPOINT=f"http://127.0.0.1:{server.getsockname()[1]}",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            DJANGO_SETTINGS_MODULE="deploy.settings",
        )
        server.setblocking(False)
        tries = 0
        with suppress(BlockingIOError):
            while True:
                server.accept()[0].close()
                tries += 1
    raised, connect_s, read_s = ast.literal_eval(done.stdout)
    assert (raised, tries) == ("StorageAway", 2)
    # Two files are written while one piece of work is watched.
    assert 2 * tries * (connect_s + read_s) < generation.HARD_LIMIT_S


def test_power_cut_takes_back_nothing_that_was_told(tmp_path: Path) -> None:
    database = "settings.DATABASES['default']['OPTIONS']['init_command']"
    done = load(database, DIORAMA_VAR=str(tmp_path), DIORAMA_SECRET_KEY="k")
    with sqlite3.connect(tmp_path / "a.sqlite3") as connection:
        connection.executescript(done.stdout)
        asked = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]
    # 2 is FULL. Source: sqlite.org/pragma.html#pragma_synchronous
    assert asked == ["wal", 2]


def test_postgres_that_vanishes_is_given_up_unless_the_address_says_otherwise(
    tmp_path: Path,
) -> None:
    done = load(
        "settings.DATABASES['default']['OPTIONS']",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_DATABASE_URL="postgresql://u@db.example/d?sslmode=require&tcp_user_timeout=60000",
    )
    told = ast.literal_eval(done.stdout)
    assert (told["connect_timeout"], told["sslmode"]) == (5, "require")
    assert int(told["tcp_user_timeout"]) == 60000
    idle_s = told["keepalives_idle"] + told["keepalives_interval"] * told["keepalives_count"]
    assert idle_s == 25
    # Nobody waits longer for a connection, nor between two tries once it is back.
    assert (told["pool"]["timeout"], told["pool"]["reconnect_timeout"]) == (5, 1)


def test_postgres_by_address(tmp_path: Path) -> None:
    done = load(
        "settings.DATABASES['default']['ENGINE'], settings.DATABASES['default']['HOST']",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_DATABASE_URL="postgresql://u:p@db.example/diorama",
    )
    assert done.stdout.strip() == "django.db.backends.postgresql db.example"


@pytest.mark.parametrize(
    ("asked", "public_url", "address"),
    [
        ("", "https://x.example", ""),
        ("1", "https://x.example", "https://x.example/webhooks/fal"),
        ("1", "http://x.example", ""),
        ("https://tunnel.example/webhooks/fal", "http://x.example", None),
    ],
)
def test_webhook_is_by_https_or_as_the_operator_says(
    tmp_path: Path, asked: str, public_url: str, address: str | None
) -> None:
    done = load(
        "settings.WORKSHOP.hosted_webhook",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_PUBLIC_URL=public_url,
        DIORAMA_FAL_WEBHOOK=asked,
    )
    assert done.stdout.strip() == (asked if address is None else address)


def test_webhook_of_settings_is_the_one_that_answers() -> None:
    assert resolve(f"{django_settings.FAL_WEBHOOK_PATH}/ticket").func is webhooks.fal


@pytest.mark.parametrize(
    ("told", "has"), [({}, "False"), ({"FAL_KEY": "hush"}, "True"), ({"HOSTED": "1"}, "True")]
)
def test_process_without_the_key_is_told_that_there_is_one(
    tmp_path: Path, told: dict[str, str], has: str
) -> None:
    asked = {f"DIORAMA_{name}": value for name, value in told.items()}
    done = load("settings.HAS_HOSTED", DIORAMA_VAR=str(tmp_path), DIORAMA_SECRET_KEY="k", **asked)
    assert done.stdout.strip() == has


def test_engines_get_what_the_environment_says_and_the_key_stays_unsaid(tmp_path: Path) -> None:
    done = load(
        "settings.WORKSHOP.hosted_key == 'hush', settings.WORKSHOP",
        DIORAMA_VAR=str(tmp_path),
        DIORAMA_SECRET_KEY="k",
        DIORAMA_FAL_KEY="hush",
        DIORAMA_LICENCES="buffalo-l",
        DIORAMA_KLEIN_LEVERS="compile,fp8",
        DIORAMA_GPU_DEVICE="cuda:1",
        DIORAMA_GPU_BATCH="4",
    )
    assert done.stdout.split()[0] == "True"
    assert "hush" not in done.stdout
    for part in (
        "{'buffalo-l'}",
        "('compile', 'fp8')",
        "'cuda:1'",
        "batch=4",
        f"{tmp_path}/weights",
    ):
        assert part in done.stdout
