"""engines/klein: a model that is not there, and a card that answers no more."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from figurine import engines
from figurine.engines import klein as klein_engine
from figurine.engines.base import Engine, Order
from figurine.engines.klein import KleinEngine, easel, frame
from figurine.engines.klein.flux import KleinPainter
from figurine.engines.klein.sdxl import SdxlPainter
from figurine.engines.klein.sitters import Sitter
from figurine.engines.sculpt import SculptEngine
from figurine.engines.workshop import Workshop
from figurine.errors import DeviceLost, LicenceMissing, MissingModel
from figurine.types import Selfie
from tests.figurine.klein.crowded import RECIPE, SIDE_PX, Crowded, only, order


def test_engine_is_found_by_its_name(tmp_path: Path) -> None:
    assert engines.load("klein", Workshop(weights=tmp_path)).name == "klein"


def test_model_that_is_not_there_is_its_orders_outcome_and_stays_so(
    selfie: Selfie, sculptor: Engine, painter: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Nowhere:
        needs = ()
        wants_identity = False

        @staticmethod
        def load(workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
            asked.append("qwen")
            raise MissingModel("run manage.py weights fetch qwen")

    class Here:
        needs = ()
        wants_identity = False

        @staticmethod
        def load(workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
            asked.append("klein")
            return painter

    engine = KleinEngine(Workshop(batch=2, device="cpu"))
    monkeypatch.setattr(engine, "_sculptor", sculptor)
    monkeypatch.setattr(engine, "_look", lambda: None)
    monkeypatch.setattr(frame, "FRAMES", {"square": (SIDE_PX, SIDE_PX)})
    there = {"klein": Here, "qwen": Nowhere}
    monkeypatch.setattr(easel, "_painters_of", lambda model: there[model])
    loading = engine.limit_s(RECIPE, faces=1)
    for _ in range(2):
        made = engine.generate_many([order(selfie, model="qwen"), order(selfie)])
        assert isinstance(made[0], MissingModel)
        assert only(made[1]).seed == 1
    assert asked == ["qwen", "klein"]
    assert engine.limit_s(RECIPE, faces=1) < loading


def test_model_that_is_not_there_does_not_turn_out_the_one_that_is(
    selfie: Selfie, sculptor: Engine, painter: Crowded, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    loaded: list[int] = []

    class Here:
        needs = ()
        wants_identity = False

        @staticmethod
        def load(workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
            loaded.append(1)
            return painter

    engine = KleinEngine(Workshop(weights=tmp_path, batch=2, device="cpu"))
    monkeypatch.setattr(engine, "_sculptor", sculptor)
    monkeypatch.setattr(engine, "_look", lambda: None)
    monkeypatch.setattr(frame, "FRAMES", {"square": (SIDE_PX, SIDE_PX)})
    painters = {"klein": Here, "sdxl": SdxlPainter}
    monkeypatch.setattr(easel, "_painters_of", lambda model: painters[model])
    for _ in range(2):
        made = engine.generate_many([order(selfie), order(selfie, model="sdxl")])
        assert only(made[0]).seed == 1
        assert isinstance(made[1], LicenceMissing)
    assert loaded == [1]


def test_engine_keeps_nobody_whom_it_could_not_serve(
    selfie: Selfie, sculptor: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = KleinEngine(Workshop(weights=tmp_path, batch=2, device="cpu"))
    monkeypatch.setattr(engine, "_sculptor", sculptor)
    monkeypatch.setattr(engine, "_look", lambda: None)
    known: list[weakref.ref[Sitter]] = []

    class Known(Sitter):
        def __init__(self, asked: Order) -> None:
            super().__init__(asked)
            known.append(weakref.ref(self))

    monkeypatch.setattr(klein_engine, "Sitter", Known)
    for _ in range(2):
        (made,) = engine.generate_many([order(selfie)])
        assert isinstance(made, MissingModel)
    del made
    gc.collect()
    assert [one() for one in known] == [None, None]


def test_card_that_answers_no_more_is_told_from_a_pass_that_broke(
    sculptor: SculptEngine, painter: Crowded, selfie: Selfie, monkeypatch: pytest.MonkeyPatch
) -> None:
    klein = KleinEngine(Workshop(device="cuda:1"), painter)
    klein._sculptor = sculptor

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("an illegal memory access was encountered")

    def second_is_broken(device: str | None = None) -> None:
        if device == "cuda:1":
            broken()

    monkeypatch.setattr(painter, "begin", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        klein.generate_many([order(selfie)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", second_is_broken)
    with pytest.raises(DeviceLost) as lost:
        klein.generate_many([order(selfie)])
    assert (lost.value.code, lost.value.permanent) == ("device_lost", False)
