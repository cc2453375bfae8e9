"""What makes a pipeline faster, by name, for a crew to pull and to measure on its own card.

None is on by itself: `docs/performance.md` says which have been measured. The text encoder is never
on the card beside the transformer, and pictures are always decoded on a stream of their own (CUDA):
those need no lever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from figurine.engines.klein.passes import is_full
from figurine.errors import MissingModel

_ATTENTION: Final = "attention="


def pull(pipeline: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Change a loaded pipeline in place; returns the names in the order in which they were pulled.

    "compile": repeated blocks are compiled, once for every size of a pass, so its sizes are fixed.
    "attention=NAME": diffusers' backend of this name, for this pipeline's transformer alone; none
    that would be fetched.
    "fp8": weights and activations of the transformer's linear layers in 8 bits, by torchao, on
    cards of compute capability 8.9 and up; scaled by row, so that nobody of a pass sees another.
    "vae-tiling": pictures are decoded in tiles, for cards with little memory.
    "channels-last": the decoder's convolutions in the layout that tensor cores want.

    Quantising comes before compiling, whatever the order of the names. Raises MissingModel for a
    name that nobody knows, and where a lever's library or card is not there.
    """
    for name in names:
        if name not in _LEVERS and not name.startswith(_ATTENTION):
            known = ", ".join([*_LEVERS, f"{_ATTENTION}NAME"])
            raise MissingModel(f"no lever named {name!r}; there are {known}")
    ordered = sorted(names, key=lambda name: name == "compile")
    for name in ordered:
        if name.startswith(_ATTENTION):
            _attend(pipeline, name.removeprefix(_ATTENTION))
        else:
            _LEVERS[name](pipeline)
    return tuple(ordered)


_SHAPES: Final = 64
"""Graphs of one kind of block: frames by sizes of a pass by ways of references, and faces. torch
stops for good at the ninth (recompile_limit, torch 2.13)."""


def _compile(pipeline: Any) -> None:
    # The blocks' own limit: torch's setting holds in the thread alone that made it, and passes run
    # in any.
    pipeline.transformer.compile_repeated_blocks(
        fullgraph=True, dynamic=False, recompile_limit=_SHAPES
    )


def _attend(pipeline: Any, backend: str) -> None:
    if backend.endswith("_hub"):
        raise MissingModel(f"attention backend {backend!r} would be fetched: choose another")
    from diffusers.models.attention_dispatch import (  # noqa: PLC0415 - only where it is loaded
        _AttentionBackendRegistry,
        attention_backend,
    )

    before, _ = _AttentionBackendRegistry.get_active_backend()
    try:
        # Its processors keep the name. diffusers makes it the whole process's default as well, for
        # every other model: leaving the block takes that back.
        with attention_backend(before):
            pipeline.transformer.set_attention_backend(backend)
    except (ValueError, RuntimeError, ImportError) as error:
        raise MissingModel(f"attention backend {backend!r} is not here: {error}") from error


def _fp8(pipeline: Any) -> None:
    try:
        from torchao.quantization import (  # noqa: PLC0415 - few have it
            Float8DynamicActivationFloat8WeightConfig,
            PerRow,
            quantize_,
        )
    except ImportError as error:
        raise MissingModel("lever 'fp8' needs torchao: pip install torchao") from error
    try:
        # A scale a row, which is one token of one person's: by itself it is one a tensor, and who
        # else is in a pass would decide how finely everybody is drawn.
        config = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
        quantize_(pipeline.transformer, config)
    except (AssertionError, RuntimeError) as error:  # how torchao says it, card and dtype alike
        if isinstance(error, RuntimeError) and is_full(error):
            raise
        raise MissingModel(f"lever 'fp8' cannot be pulled here: {error}") from error


_TILE_PX: Final = 512
"""Side of a tile. The published decoder's own is its sample size, 1024, so that a whole frame would
be one tile. Source: AutoencoderKLFlux2, diffusers 0.42.1."""


def _tile(pipeline: Any) -> None:
    pipeline.vae.enable_tiling()
    pipeline.vae.tile_sample_min_size = _TILE_PX
    pipeline.vae.tile_latent_min_size = _TILE_PX // pipeline.vae_scale_factor


def _channels_last(pipeline: Any) -> None:
    import torch  # noqa: PLC0415 - this room is asked for its names as well

    pipeline.vae.to(memory_format=torch.channels_last)


_LEVERS: Final[dict[str, Callable[[Any], None]]] = {
    "compile": _compile,
    "fp8": _fp8,
    "vae-tiling": _tile,
    "channels-last": _channels_last,
}
