"""The list by which a screen holds its player whole."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from billboard import pairing, shell
from billboard.models import Screen
from campaign.models import Campaign
from tests.billboard.rows import approved

LIST, PAGE, WORKER = "/screen/shell.json", "/screen/", "/screen/worker.js"
STATIC = settings.BASE_DIR / "static"


@pytest.fixture
def paired(token: str) -> Client:
    client = Client()
    client.cookies[pairing.COOKIE] = token
    return client


def listed(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(LIST).json()
    return found


def test_shell_and_page_name_one_version_until_anything_on_it_changes(
    paired: Client, campaign: Campaign, screen: Screen
) -> None:
    before = listed(paired)["version"]
    assert paired.get(PAGE)["Diorama-Shell"] == before == listed(paired)["version"]
    assert before.startswith(f"{screen.pk}-")
    approved(campaign)
    assert listed(paired)["version"] == before
    Campaign.objects.update(strapline="Fall in.")
    after = listed(paired)["version"]
    assert after != before
    assert paired.get(PAGE)["Diorama-Shell"] == after


def test_two_screens_have_two_versions(paired: Client, campaign: Campaign, screen: Screen) -> None:
    other = Client()
    other.cookies[pairing.COOKIE] = pairing.issue_token(Screen(campaign=campaign, name="Two"))
    assert listed(paired)["version"] != listed(other)["version"]


def test_digests_are_those_of_the_files_as_served(paired: Client) -> None:
    for file in listed(paired)["files"]:
        served = paired.get(file["url"])
        if file["url"].startswith(settings.STATIC_URL):
            content = (STATIC / file["url"].removeprefix(settings.STATIC_URL)).read_bytes()
        else:
            assert served.status_code == 200
            content = served.content
        if file["integrity"]:
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            assert file["integrity"] == f"sha256-{digest}"


def test_shell_holds_all_that_the_page_and_its_files_load(paired: Client) -> None:
    urls = {file["url"] for file in listed(paired)["files"]}
    html = paired.get(PAGE).content.decode()
    wanted = set(re.findall(r'(?:src|href)="(/[^"]+)"', html))
    assert wanted
    assert wanted - urls == set()
    for url in sorted(urls):
        if not url.startswith(settings.STATIC_URL) or not url.endswith((".js", ".css")):
            continue
        file = STATIC / url.removeprefix(settings.STATIC_URL)
        for found in re.findall(r'from "(\.[^"]+)"|url\("(\.[^"]+)"\)', file.read_text()):
            path = (file.parent / "".join(found)).resolve().relative_to(STATIC)
            assert f"{settings.STATIC_URL}{path}" in urls, f"{url} loads {path}"


def test_list_is_for_screens(client: Client, token: str) -> None:
    answer = client.get(LIST)
    assert (answer.status_code, answer["Diorama-Unpaired"]) == (403, "1")
    page = client.get(PAGE)
    assert (page["Diorama-Unpaired"], "Diorama-Shell" in page) == ("1", False)


def test_worker_comes_from_where_its_scope_is_the_screens_and_is_never_held(
    client: Client, db: None
) -> None:
    answer = client.get(WORKER)
    assert answer.content == (STATIC / shell.WORKER).read_bytes()
    assert answer["Content-Type"].startswith("text/javascript")
    assert "no-store" in answer["Cache-Control"]
    assert "Service-Worker-Allowed" not in answer
