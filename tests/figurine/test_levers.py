"""engines/klein/levers.py: each changes the real pipeline, or says what it lacks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKLFlux2, ModelMixin
from diffusers.models.attention_dispatch import _AttentionBackendRegistry

from figurine.engines.klein import levers, resident
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.engines.workshop import Workshop
from figurine.errors import MissingModel, NoGpu
from tests.figurine import tiny


@pytest.fixture
def pipeline() -> PeoplePipeline:
    return PeoplePipeline(**tiny.components(encoder=False))


def test_compile_takes_the_repeated_blocks_alone_and_comes_last(pipeline: PeoplePipeline) -> None:
    """Compiled code is made at the first pass: marked is what this asks for."""
    assert levers.pull(pipeline, ["compile", "vae-tiling"]) == ("vae-tiling", "compile")
    compiled = {
        type(module).__name__
        for module in pipeline.transformer.modules()
        if module._compiled_call_impl is not None
    }
    assert compiled == {"Flux2TransformerBlock", "Flux2SingleTransformerBlock"}
    assert pipeline.vae.use_tiling


def attention(pipeline: PeoplePipeline) -> set[str | None]:
    """Backends of the transformer's processors; None: the process's own."""
    chosen = {
        module.processor._attention_backend
        for module in pipeline.transformer.modules()
        if hasattr(module, "processor") and hasattr(module.processor, "_attention_backend")
    }
    return {backend and backend.value for backend in chosen}


def test_attention_backend_is_every_processor_s_of_this_pipeline_alone(
    pipeline: PeoplePipeline,
) -> None:
    before = _AttentionBackendRegistry.get_active_backend()
    levers.pull(pipeline, ["attention=_native_math"])
    assert attention(pipeline) == {"_native_math"}
    other = PeoplePipeline(**tiny.components(encoder=False))
    assert attention(other) == {None}
    assert _AttentionBackendRegistry.get_active_backend() == before


def test_published_decoder_draws_a_frame_in_tiles(pipeline: PeoplePipeline) -> None:
    """At its own size, on meta tensors, whose numbers nobody computes."""
    with torch.device("meta"):
        pipeline.vae = AutoencoderKLFlux2().eval()
        latents = torch.zeros(1, 32, 128, 128)
    levers.pull(pipeline, ["vae-tiling"])
    tiles: list[tuple[int, ...]] = []
    pipeline.vae.decoder.register_forward_pre_hook(
        lambda _, given: tiles.append(tuple(given[0].shape[-2:]))
    )
    (picture,) = pipeline.vae.decode(latents, return_dict=False)
    assert picture.shape == (1, 3, 1024, 1024)
    assert (len(tiles), max(tiles)) == (9, (64, 64))


def test_decoder_takes_the_layout_of_tensor_cores(pipeline: PeoplePipeline) -> None:
    levers.pull(pipeline, ["channels-last"])
    weight = pipeline.vae.decoder.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("warp", "no lever named 'warp'; there are compile, fp8"),
        ("attention=abacus", "attention backend 'abacus' is not here"),
        ("attention=flash_hub", "would be fetched"),
        ("attention=xformers", "attention backend 'xformers' is not here"),
    ],
)
def test_lever_that_is_not_here_is_told(pipeline: PeoplePipeline, name: str, said: str) -> None:
    with pytest.raises(MissingModel, match=said):
        levers.pull(pipeline, [name])


def test_fp8_without_its_library_says_what_to_install(
    pipeline: PeoplePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(MissingModel, match="pip install torchao"):
        levers.pull(pipeline, ["fp8"])


class PerTensor: ...


class PerRow: ...


@dataclass(frozen=True)
class Float8:
    """torchao's configuration, with its own default."""

    granularity: object = field(default_factory=PerTensor)


class Torchao(ModuleType):
    """As much of torchao.quantization as the lever asks for. Quantises nothing, or refuses."""

    def __init__(self, refusal: Exception | None = None) -> None:
        super().__init__("torchao.quantization")
        self.Float8DynamicActivationFloat8WeightConfig = Float8
        self.PerRow = PerRow
        self.refusal = refusal
        self.asked: list[tuple[torch.nn.Module, Float8]] = []

    def quantize_(self, module: torch.nn.Module, config: Float8) -> None:
        if self.refusal:
            raise self.refusal
        self.asked.append((module, config))


def test_fp8_has_a_scale_a_row_so_that_nobody_of_a_pass_sees_another(
    pipeline: PeoplePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchao = Torchao()
    monkeypatch.setitem(sys.modules, "torchao.quantization", torchao)
    assert levers.pull(pipeline, ["compile", "fp8"]) == ("fp8", "compile")
    ((module, config),) = torchao.asked
    assert module is pipeline.transformer
    assert isinstance(config.granularity, PerRow)


@pytest.mark.parametrize(
    "refusal",
    [
        AssertionError("only supported on CUDA>=8.9"),
        RuntimeError("torch._scaled_mm is not here"),
    ],
)
def test_fp8_on_a_card_that_cannot_is_told(
    pipeline: PeoplePipeline, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", Torchao(refusal))
    with pytest.raises(MissingModel, match=f"'fp8' cannot be pulled here: {refusal}"):
        levers.pull(pipeline, ["fp8"])


def test_fp8_without_memory_is_no_missing_lever(
    pipeline: PeoplePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = torch.OutOfMemoryError("CUDA out of memory")
    monkeypatch.setitem(sys.modules, "torchao.quantization", Torchao(full))
    with pytest.raises(torch.OutOfMemoryError):
        levers.pull(pipeline, ["fp8"])


def test_unknown_lever_leaves_the_pipeline_as_it_is(pipeline: PeoplePipeline) -> None:
    with pytest.raises(MissingModel):
        levers.pull(pipeline, ["vae-tiling", "warp"])
    assert not pipeline.vae.use_tiling


class Twice(torch.nn.Module):  # type: ignore[misc]  # its types are not read
    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers * 2


class Blocks(torch.nn.Module):  # type: ignore[misc]  # likewise
    """As much of a transformer as the lever asks for, whose graphs are counted, not compiled."""

    _repeated_blocks = ("Twice",)

    def __init__(self) -> None:
        super().__init__()
        self.block = Twice()
        self.graphs: list[object] = []

    def compile_repeated_blocks(self, **asked: object) -> None:
        def backend(graph: Callable[..., object], inputs: object) -> Callable[..., object]:
            self.graphs.append(graph)
            return graph

        ModelMixin.compile_repeated_blocks(self, backend=backend, **asked)


def test_compiled_blocks_take_more_shapes_than_torch_would_by_itself_in_every_thread() -> None:
    """It gives up for good at the ninth: two frames of four sizes and faces are more. What was
    compiled while a worker warmed up is there for the threads of its pool."""
    torch._dynamo.reset()
    blocks = Blocks()
    levers.pull(SimpleNamespace(transformer=blocks), ["compile"])

    def run(batch: int) -> tuple[int, ...]:
        return tuple(blocks.block(torch.zeros(batch, 2)).shape)

    assert [run(batch) for batch in (1, 2)] == [(1, 2), (2, 2)]
    with ThreadPoolExecutor(1) as pool:
        made = list(pool.map(run, range(1, 12)))
    assert made == [(batch, 2) for batch in range(1, 12)]
    assert len(blocks.graphs) == 11
    torch._dynamo.reset()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["", "cuda", "cuda:1"])
def test_machine_without_a_gpu_is_not_painted_on_unasked(device: str) -> None:
    with pytest.raises(NoGpu) as refused:
        resident.device(Workshop(device=device))
    assert (refused.value.code, refused.value.permanent) == ("no_gpu", True)
    assert resident.device(Workshop(device="cpu")).type == "cpu"
