from __future__ import annotations

from playwright.sync_api import Page

from tests.js.conftest import Ask


def test_id_on_plain_http_is_a_uuid_all_the_same(page: Page, ask: Ask) -> None:
    assert page.evaluate("typeof crypto.randomUUID") == "undefined"
    ids = ask("identity", "m => [m.randomId(), m.randomId()]")
    pattern = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    assert page.evaluate(f"ids => ids.map((id) => /{pattern}/.test(id))", ids) == [True, True]
    assert len(set(ids)) == 2


def test_id_comes_from_the_browser_where_it_can(ask: Ask) -> None:
    assert ask("identity", "m => m.randomId({randomUUID: () => 'theirs'})") == "theirs"


def test_kept_id_stays(ask: Ask) -> None:
    script = """m => {
        let n = 0;
        const make = () => `id-${(n += 1)}`;
        const kept = (name) => m.keptId(() => localStorage, name, make);
        return [kept("phone"), kept("phone"), kept("other")];
    }"""
    assert ask("identity", script) == ["id-1", "id-1", "id-2"]


def test_kept_id_survives_a_storage_that_throws(ask: Ask) -> None:
    script = """m => {
        const shut = () => { throw new DOMException("no", "SecurityError"); };
        return m.keptId(shut, "key", () => "made");
    }"""
    assert ask("identity", script) == "made"
