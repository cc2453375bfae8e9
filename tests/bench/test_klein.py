"""The bench of klein runs, on tiny components, from end to end; its figures are a card's alone."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from tests.bench import flops, klein

BATCHES = ["2"]
PULLED = ["channels-last"]


@pytest.fixture(scope="module")
def said() -> list[str]:
    """The bench's lines."""
    with pytest.MonkeyPatch.context() as patch:
        heard: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: heard.append(text))
        small = ["--tiny", "--runs", "1", "--batches", *BATCHES]
        assert klein.main([*small, "--levers", *PULLED, "hover"]) == 0
    return "\n".join(heard).splitlines()


@pytest.fixture(scope="module")
def rows(said: list[str]) -> list[list[str]]:
    """Cells of the table's lines."""
    assert said[0].startswith("CPU, tiny components: no figure of klein, ")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in said[4:]]


def test_bench_measures_every_way_and_lever(rows: list[list[str]]) -> None:
    plain = [[way, "plain", "1"] for way in ("selfie", "two", "composite")]
    ways = ("selfie", "two", "composite", "inpaint")
    eager = [[way, "eager", batch] for way in ways for batch in BATCHES]
    queued = [["two", lever, "6"] for lever in ("in a row", "in a row, one stream")]
    pulled = [["selfie", lever, batch] for lever in PULLED for batch in BATCHES]
    assert [row[:3] for row in rows[:-1]] == plain + eager + queued + pulled


def test_bench_compares_with_plain_and_with_the_floor(
    said: list[str], rows: list[list[str]]
) -> None:
    flop_s = float(said[0].split(" matmul ")[1].split()[0]) * flops.TERA
    plain = {row[0]: float(row[3]) for row in rows if row[1] == "plain"}
    for way, lever, _, ms, rate, peak, over, faster in rows[:-1]:
        assert float(rate) == pytest.approx(1000 / float(ms), rel=0.02, abs=0.01)
        assert float(peak) > 0
        least_ms = (
            1000 * flops.klein(cast(flops.Way, way), klein._TINY_FRAME, klein._TINY).whole / flop_s
        )
        assert float(over) == pytest.approx(float(ms) / least_ms, rel=0.02, abs=0.01)
        if way == "inpaint" or lever == "plain":
            assert faster == "-"
        else:
            ratio = plain[way] / float(ms)
            assert float(faster) == pytest.approx(ratio, rel=0.02, abs=0.01)


def test_bench_says_which_lever_is_not_here(rows: list[list[str]]) -> None:
    assert rows[-1][:3] == ["selfie", "hover", "-"]
    assert rows[-1][3].startswith("not run: no lever named 'hover'")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_bench_without_a_card_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert klein.main([]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no CUDA device here: nothing was measured\n")
