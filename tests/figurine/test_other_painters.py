"""engines/klein/qwen.py and sdxl.py: what klein's painter promises, on tiny random weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from figurine.engines.base import Order
from figurine.engines.klein import KleinEngine, closeup, prompts, references, resident, sdxl
from figurine.engines.klein.painter import Commission, Painter
from figurine.engines.klein.qwen import QwenPainter, tell_images
from figurine.engines.klein.references import Sitting
from figurine.engines.klein.sdxl import FILE, SdxlPainter
from figurine.engines.workshop import Workshop
from figurine.errors import BigSquad, Cancelled, MissingModel
from figurine.likeness import Recogniser
from figurine.types import Box, Pixels, Recipe, Selfie
from tests.figurine import synthetic, tiny_others

WIDE, HIGH = 64, 96
FACE: Box = (20, 16, 32, 40)
STEPS = {"qwen": 2, "sdxl": 4}
CPU = Workshop(device="cpu")
RECIPE = Recipe("klein", "soldier", "painted", options={"model": "sdxl"})
BOTH = pytest.mark.parametrize("painter", ["qwen", "sdxl"], indirect=True)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    """Qwen's pipeline shows references at a megapixel: here at 64² and 56², for a CPU."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as rooms

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "VAE_IMAGE_SIZE", 64 * 64)
        patch.setattr(rooms, "CONDITION_IMAGE_SIZE", 56 * 56)
        yield


@pytest.fixture(scope="module")
def pipelines(small: None) -> dict[str, Any]:
    made = {"qwen": tiny_others.qwen(), "sdxl": tiny_others.sdxl()}
    sdxl.lay(tiny_others.faceid(made["sdxl"].unet), made["sdxl"])
    return made


@pytest.fixture(scope="module")
def painters(pipelines: dict[str, Any]) -> dict[str, Painter]:
    kinds: dict[str, Any] = {"qwen": QwenPainter, "sdxl": SdxlPainter}
    return {
        name: kind(
            pipelines[name], version="tiny@1", width_px=WIDE, height_px=HIGH, steps=STEPS[name]
        )
        for name, kind in kinds.items()
    }


@pytest.fixture
def painter(painters: dict[str, Painter], request: pytest.FixtureRequest) -> Painter:
    return painters[request.param]


def person(number: int, **changes: Any) -> Commission:
    """Somebody, whose pose is everyone's and whose selfie and identity are their own."""
    chance = np.random.default_rng(number)
    identity = chance.standard_normal(512).astype(np.float32)
    return replace(
        Commission(
            prompt="a figurine of this person",
            pose=np.random.default_rng(99).integers(0, 256, (HIGH, WIDE, 3), np.uint8),
            selfie=chance.integers(0, 256, (512, 512, 3), np.uint8),
            faces=(FACE,),
            seed=3,
            identity=identity / np.linalg.norm(identity),
        ),
        **changes,
    )


def silent(number: int, steps: int) -> None:
    pass


def only(painter: Painter, commission: Commission) -> Pixels:
    (painted,) = painter.paint([commission], step=silent)
    return painted


def apart(one: Pixels, other: Pixels) -> float:
    """Mean difference, in levels of 255."""
    return float(np.abs(one.astype(int) - other).mean())


@BOTH
def test_picture_is_as_large_as_the_frame(painter: Painter) -> None:
    painted = only(painter, person(1))
    assert (painted.shape, str(painted.dtype)) == ((HIGH, WIDE, 3), "uint8")
    (turned,) = painter.at(HIGH, WIDE).paint(  # type: ignore[attr-defined]
        [person(1, pose=np.zeros((WIDE, HIGH, 3), np.uint8))], step=silent
    )
    assert turned.shape == (WIDE, HIGH, 3)


@BOTH
def test_same_seed_is_the_same_picture_to_the_byte(painter: Painter) -> None:
    one, again = (only(painter, person(1)) for _ in range(2))
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != only(painter, person(1, seed=4)).tobytes()


@BOTH
def test_people_of_one_pass_get_what_they_would_get_alone(painter: Painter) -> None:
    together = painter.paint([person(1), person(2)], step=silent)
    alone = [only(painter, person(number)) for number in (1, 2)]
    difference = apart(*alone)
    assert difference > 0.1
    for one, own in zip(together, alone, strict=True):
        assert apart(one, own) < difference / 20


def test_qwen_paints_after_the_selfie(painters: dict[str, Painter]) -> None:
    one, other = person(1), person(1, selfie=person(2).selfie)
    assert only(painters["qwen"], one).tobytes() != only(painters["qwen"], other).tobytes()


def test_sdxl_paints_after_the_identity_and_not_the_selfie(painters: dict[str, Painter]) -> None:
    one, other = person(1), person(1, identity=person(2).identity)
    painted = only(painters["sdxl"], one)
    assert painted.tobytes() != only(painters["sdxl"], other).tobytes()
    unseen = only(painters["sdxl"], person(1, selfie=person(2).selfie))
    assert painted.tobytes() == unseen.tobytes()


def test_sdxl_without_an_identity_refuses(painters: dict[str, Painter]) -> None:
    with pytest.raises(ValueError, match="no identity"):
        painters["sdxl"].paint([person(1), person(2, identity=None)], step=silent)


def test_ways_of_references_are_other_pictures(painters: dict[str, Painter]) -> None:
    qwen = painters["qwen"]
    ways = [only(qwen, person(1, references=way)) for way in ("two", "composite", "inpaint")]
    assert len({each.tobytes() for each in ways}) == 3


@BOTH
@pytest.mark.parametrize("way", ["refine", "inpaint"])
def test_face_alone_is_painted_after_its_own_person(painter: Painter, way: str) -> None:
    people = [person(1, references="inpaint"), person(2, references="inpaint")]
    drafts = [each.pose for each in people]
    painted = (
        painter.refine(people, drafts, step=silent)
        if way == "refine"
        else painter.paint(people, step=silent)
    )
    x, y, wide, high = FACE
    outside = np.ones((HIGH, WIDE), bool)
    outside[y : y + high, x : x + wide] = False
    middle = np.s_[y + 12 : y + 28, x + 10 : x + 22]
    for one, draft in zip(painted, drafts, strict=True):
        assert (one[outside] == draft[outside]).all()
        assert (one[middle] != draft[middle]).mean() > 0.9
    assert painted[0].tobytes() != painted[1].tobytes()


@BOTH
def test_steps_are_told_before_each_one(painter: Painter) -> None:
    told: list[tuple[int, int]] = []
    painter.paint([person(1), person(2)], step=lambda *at: told.append(at))
    steps = {"qwen": 4, "sdxl": 2}[painter.name]  # one after the other; 0.6 of four, together
    assert told == [(number, steps) for number in range(steps)]


@BOTH
@pytest.mark.parametrize("at", [0, 1])
def test_cancel_stops_between_steps(painter: Painter, at: int) -> None:
    told: list[int] = []

    def step(number: int, steps: int) -> None:
        told.append(number)
        if number == at:
            raise Cancelled

    with pytest.raises(Cancelled):
        painter.paint([person(1), person(2)], step=step)
    assert told == list(range(at + 1))


@BOTH
def test_warm_up_runs_a_pass(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    kind, paint = type(painter), type(painter).paint

    def watched(self: Any, commissions: Any, *, step: Any) -> list[Pixels]:
        made = paint(self, commissions, step=step)
        seen.append((len(commissions), len(made)))
        return made

    monkeypatch.setattr(kind, "paint", watched)
    painter.warm_up(2)
    assert seen == [{"qwen": (1, 1), "sdxl": (2, 2)}[painter.name]]


def test_qwens_pictures_stand_in_rows_and_columns_to_its_encoder(
    pipelines: dict[str, Any], painters: dict[str, Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, places = pipelines["qwen"], []
    find = pipeline.text_encoder.model.get_rope_index

    def watched(*args: Any, **named: Any) -> Any:
        places.append(find(*args, **named))
        return places[-1]

    monkeypatch.setattr(pipeline.text_encoder.model, "get_rope_index", watched)
    tell_images(pipeline.text_encoder)  # a second time changes nothing
    picture = Image.fromarray(person(1).selfie).resize((56, 56))
    pipeline.encode_prompt("a", image=[picture])
    ((found, _),) = places
    tokens = pipeline.processor(
        text=[pipeline.prompt_template_encode.format("<|image_pad|>")],
        images=[picture],
        padding=True,
        return_tensors="pt",
    )
    image = pipeline.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert (tokens["input_ids"] == image).sum() == 4
    first = int(torch.where(torch.diff(found[0, 0]) == 0)[0][0])
    block = found[:, 0, first : first + 4]
    assert (block - block[:, :1]).tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]]


def test_sdxl_reads_the_whole_prompt(painters: dict[str, Painter]) -> None:
    long = "a figurine of this person as soldier " * 15  # 105 words: more than a window
    one = only(painters["sdxl"], person(1, prompt=f"{long} painted"))
    other = only(painters["sdxl"], person(1, prompt=f"{long} plastic"))
    assert one.tobytes() != other.tobytes()


def test_librarys_prompts_fit_into_the_windows() -> None:
    longest = max(len(prompt.split()) for prompt in prompts.shelf("two"))
    assert longest * 1.4 < sdxl.WINDOWS * 75  # of CLIP's tokens, a word has about 1.3


def test_faceids_lora_is_in_the_weights() -> None:
    plain, laid = tiny_others.sdxl(), tiny_others.sdxl()
    state = tiny_others.faceid(plain.unet)
    sdxl.lay(state, laid)
    name = "mid_block.attentions.0.transformer_blocks.0.attn2"
    number = list(plain.unet.attn_processors).index(f"{name}.processor")
    for short, full in (("q", "to_q"), ("out", "to_out.0")):
        part = f"{number}.to_{short}_lora"
        added = (
            state["ip_adapter"][f"{part}.up.weight"] @ state["ip_adapter"][f"{part}.down.weight"]
        )
        before = plain.unet.get_submodule(f"{name}.{full}").weight
        after = laid.unet.get_submodule(f"{name}.{full}").weight
        assert torch.allclose(after, before + added, atol=1e-6)
        assert not torch.equal(after, before)
    processor = laid.unet.attn_processors[f"{name}.processor"]
    assert torch.equal(processor.to_k_ip[0].weight, state["ip_adapter"][f"{number}.to_k_ip.weight"])


def test_another_adapters_weights_are_refused(tmp_path: Path) -> None:
    pipeline = tiny_others.sdxl()
    state = tiny_others.faceid(pipeline.unet)
    state["ip_adapter"].pop("0.to_q_lora.up.weight")
    with pytest.raises(MissingModel, match="not FaceID"):
        sdxl.lay(state, pipeline)
    (tmp_path / FILE).write_bytes(b"no weights")
    with pytest.raises(MissingModel, match="weights fetch sdxl-faceid"):
        sdxl.read(tmp_path / FILE)


def test_qwen_out_of_a_folder_paints_as_it_did_before(small: None, tmp_path: Path) -> None:
    folder = tiny_others.save_qwen(tmp_path)
    painter = QwenPainter.from_folder(folder, CPU, width_px=WIDE, height_px=HIGH)
    assert painter.version == f"qwen-image-edit-2509@{resident.revision(folder)}"
    painter._steps = 1
    beside = QwenPainter(tiny_others.qwen(), version="", width_px=WIDE, height_px=HIGH, steps=1)
    assert only(painter, person(1)).tobytes() == only(beside, person(1)).tobytes()
    shutil.rmtree(folder / "vae")
    with pytest.raises(MissingModel, match="weights fetch qwen-image-edit-2509"):
        QwenPainter.from_folder(folder, CPU, width_px=WIDE, height_px=HIGH)


def test_sdxl_out_of_folders_paints_after_the_identity(tmp_path: Path) -> None:
    base, own = tiny_others.save_sdxl(tmp_path)
    painter = SdxlPainter.from_folders(base, own, CPU, width_px=WIDE, height_px=HIGH)
    assert painter.version == f"sdxl-faceid@{resident.revision(base, own)}"
    painter._steps = 2
    one, other = only(painter, person(1)), only(painter, person(2))
    assert one.tobytes() != other.tobytes()
    shutil.rmtree(base / "unet")
    with pytest.raises(MissingModel, match="weights fetch sdxl-base"):
        SdxlPainter.from_folders(base, own, CPU, width_px=WIDE, height_px=HIGH)


@pytest.mark.parametrize("kind", [QwenPainter, SdxlPainter])
def test_weights_that_are_not_here_say_what_to_run(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"manage\.py weights"):
        kind.load(Workshop(tmp_path, is_production=False), width_px=WIDE, height_px=HIGH)


@pytest.mark.parametrize("face", [FACE, (0, 0, 20, 20), (50, 80, 14, 16), (0, 0, WIDE, HIGH)])
def test_closeup_has_the_face_and_the_pictures_shape(face: Box) -> None:
    x, y, wide, high = closeup.around([face], WIDE, HIGH)
    assert 0 <= x <= face[0]
    assert 0 <= y <= face[1]
    assert face[0] + face[2] <= x + wide <= WIDE
    assert face[1] + face[3] <= y + high <= HIGH
    assert wide / high == pytest.approx(WIDE / HIGH, rel=0.03)


class Noting(SdxlPainter):
    """Remembers whose faces it was given."""

    def paint(self, commissions: Any, *, step: Any) -> list[Pixels]:
        self.given = [commission.identity for commission in commissions]
        return super().paint(commissions, step=step)


def test_engine_gives_the_identity_of_the_painters_own_recogniser(
    pipelines: dict[str, Any], selfie: Selfie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, gate = (
        Recogniser.load(synthetic.recogniser(tmp_path / f"{name}.onnx", seed=number))
        for number, name in enumerate(["own", "gate"])
    )
    painter = Noting(pipelines["sdxl"], version="tiny@1", width_px=WIDE, height_px=HIGH, steps=2)
    engine = KleinEngine(CPU, painter, identifier=own)
    shown = person(1)
    posed = Sitting(shown.pose, shown.selfie, (FACE,), shown.pose[..., 0], "1")
    monkeypatch.setattr(references, "sit", lambda *_, **__: posed)  # without a render's seconds
    alone, squad = engine.generate_many(
        [Order(one, RECIPE, (1,)) for one in (selfie, doubled(selfie))]
    )
    (given,) = painter.given
    assert given.tolist() == own.embed(selfie.pixels, selfie.faces[0]).tolist()
    assert given.tolist() != gate.embed(selfie.pixels, selfie.faces[0]).tolist()
    assert isinstance(alone, list)
    assert isinstance(squad, BigSquad)


def doubled(selfie: Selfie) -> Selfie:
    return replace(selfie, faces=selfie.faces * 2)
