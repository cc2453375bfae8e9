"""What klein-4B costs on this card: `python -m tests.bench.klein`.

The model at full size with random bf16 weights, which cost what trained ones do; nothing is
downloaded. Prints a table for docs/performance.md. Without a CUDA device it says so and exits 2;
with --tiny the same code runs tiny components on the CPU, whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import torch
from diffusers import Flux2KleinPipeline
from PIL import Image

from figurine.engines.klein import flux, frame, levers
from figurine.engines.klein.painter import Commission
from figurine.engines.klein.passes import Job, Passes, Person
from figurine.engines.klein.pipeline import STEPS, PeoplePipeline
from figurine.engines.klein.prompts import Embeddings
from figurine.errors import MissingModel
from tests.bench import flops, models
from tests.bench.memory import status_mb
from tests.bench.timing import timed
from tests.figurine import tiny

BATCHES: Final = (1, 2, 4, 8)
LEVERS: Final = (
    "compile",
    "fp8",
    "fp8+compile",
    "attention=_native_cudnn",
    "attention=_native_flash",
    "channels-last",
    "vae-tiling",
)
"""Each alone, and the two that belong together; "a+b" pulls both."""
_IN_A_ROW: Final = 3
"""Passes, of which the first two have another one behind them."""
_MATMUL: Final = 8192
"""Side of the square matrices whose product measures the card's rate."""
_TINY: Final = models.Klein(tiny.transformer, tiny.vae, tiny.text_encoder, tiny.EMBED_WIDTH)
_TINY_FRAME: Final = (128, 128)


@dataclass(frozen=True)
class Bench:
    """Where, what and how often is measured."""

    kind: models.Klein
    device: torch.device
    dtype: torch.dtype
    size: flops.Size
    batches: tuple[int, ...]
    runs: int
    rate: float
    """FLOP/s of this device's matrix products in `dtype`."""


@dataclass(frozen=True)
class Row:
    way: flops.Way
    lever: str
    """Levers' names, "eager" for none, "plain" for diffusers as its documentation shows it."""
    batch: int
    ms: float
    """An image; the median of the runs."""
    peak_gb: float
    floor_ms: float
    """An image's FLOPs at the device's measured rate; the text encoder's are not in it."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.klein", description=__doc__)
    parser.add_argument("--frame", default="square", choices=frame.FRAMES)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--runs", type=int, default=5, help="of each row, after a warm-up (5)")
    parser.add_argument("--levers", nargs="*", default=LEVERS, help='"a+b" pulls both')
    parser.add_argument("--tiny", action="store_true", help="on the CPU, to test this bench")
    asked = parser.parse_args(arguments)
    if not asked.tiny and not torch.cuda.is_available():
        print("no CUDA device here: nothing was measured", file=sys.stderr)
        return 2
    wide, high = _TINY_FRAME if asked.tiny else frame.FRAMES[asked.frame]
    device = torch.device("cpu" if asked.tiny else "cuda")
    dtype = torch.float32 if asked.tiny else torch.bfloat16
    bench = Bench(
        kind=_TINY if asked.tiny else models.KLEIN_4B,
        device=device,
        dtype=dtype,
        size=(high, wide),
        batches=tuple(asked.batches),
        runs=asked.runs,
        rate=matmul_rate(device, dtype, side=256 if asked.tiny else _MATMUL),
    )
    print(heading(bench), flush=True)
    plain = {row.way: row.ms for row in _printed(plain_rows(bench), {})}
    for way in get_args(flops.Way):
        _printed(our_rows(bench, way, "eager"), plain)
    _printed(rows_in_a_row(bench), plain)
    for lever in asked.levers:
        _printed(our_rows(bench, "selfie", lever), plain)
    return 0


def matmul_rate(device: torch.device, dtype: torch.dtype, *, side: int) -> float:
    """FLOP/s of a product of two square matrices, the median of twenty after five."""
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def multiply() -> None:
        left @ right
        _wait(device)

    seconds = [timed(multiply) for _ in range(25)][5:]
    return 2.0 * side**3 / statistics.median(seconds)


def plain_rows(bench: Bench) -> Iterator[Row | str]:
    """`Flux2KleinPipeline(...)` called as in diffusers' documentation, with its text encoder and
    the references that the engine shows. It shows them to a whole batch, so people come one by one.
    """
    try:
        with _torn_down(bench):
            with _on(bench):
                encoder = bench.kind.text_encoder()
            pipeline = Flux2KleinPipeline(**_parts(bench), text_encoder=encoder.eval())
            pipeline.tokenizer = tiny.tokenizer()  # prompts are padded to 512 tokens by any
            pipeline.set_progress_bar_config(disable=True)
            ways: tuple[flops.Way, ...] = ("selfie", "two", "composite")
            for way in ways:
                yield _measured(bench, way, "plain", 1, _call(pipeline, bench, way))
    except RuntimeError as error:
        yield _not_run("every way", "plain", error)


def our_rows(bench: Bench, way: flops.Way, lever: str) -> Iterator[Row | str]:
    """The engine's own pipeline, pulled by a lever, at every batch."""
    try:
        with _torn_down(bench), tempfile.TemporaryDirectory() as folder:
            pipeline = PeoplePipeline(**_parts(bench), text_encoder=None)
            if lever != "eager":
                levers.pull(pipeline, lever.split("+"))
            painter = _painter(bench, pipeline, Path(folder))
            for batch in bench.batches:
                work = _work(painter, way, bench, batch)
                yield _measured(bench, way, lever, batch, work)
    except (MissingModel, RuntimeError) as error:  # torch's OutOfMemoryError among them
        yield _not_run(way, lever, error)


def rows_in_a_row(bench: Bench) -> Iterator[Row | str]:
    """Several passes one after another, as in a queue: decoded on a stream of their own, as the
    engine does it, and then on the one that paints the next. A single pass has nothing beside it.
    """
    try:
        with _torn_down(bench), tempfile.TemporaryDirectory() as folder:
            painter = _painter(
                bench, PeoplePipeline(**_parts(bench), text_encoder=None), Path(folder)
            )
            beside = painter._beside
            for batch in bench.batches:
                for lever, stream in (("in a row", beside), ("in a row, one stream", None)):
                    painter._beside = stream
                    count = _IN_A_ROW * batch
                    yield _measured(bench, "two", lever, count, _queue(painter, bench, count))
    except RuntimeError as error:
        yield _not_run("two", "in a row", error)


def _queue(painter: flux.KleinPainter, bench: Bench, count: int) -> Callable[[], object]:
    person = Person(lambda stage, done: None)
    jobs = [Job(person, flops.blank(bench.size, "two", seed)) for seed in range(count)]
    return lambda: Passes(count // _IN_A_ROW).paint(painter, jobs, span=(0.0, 1.0))


def heading(bench: Bench) -> str:
    name = torch.cuda.get_device_name(bench.device) if bench.device.type == "cuda" else ""
    high, wide = bench.size
    return "\n".join(
        [
            f"{name or 'CPU, tiny components: no figure of klein'}, "
            f"{datetime.now(UTC):%Y-%m-%d}, torch {torch.__version__}, {wide} x {high}, "
            f"{STEPS} steps, {str(bench.dtype).removeprefix('torch.')} matmul "
            f"{bench.rate / flops.TERA:.3g} TFLOP/s",
            "",
            "| way | lever | B | ms an image | images/s | peak GB | floors | plain / ours |",
            "|---|---|---|---|---|---|---|---|",
        ]
    )


def line(row: Row, plain_ms: float | None) -> str:
    faster = f"{plain_ms / row.ms:.2f}" if plain_ms else "-"
    return (
        f"| {row.way} | {row.lever} | {row.batch} | {row.ms:.1f} | {1000 / row.ms:.2f} | "
        f"{row.peak_gb:.1f} | {row.ms / row.floor_ms:.2f} | {faster} |"
    )


def _printed(rows: Iterator[Row | str], plain: dict[flops.Way, float]) -> list[Row]:
    """Each as it comes, so that what a later one breaks is not lost."""
    measured = []
    for row in rows:
        if isinstance(row, Row):
            measured.append(row)
            print(line(row, plain.get(row.way)), flush=True)
        else:
            print(row, flush=True)
    return measured


def _measured(
    bench: Bench, way: flops.Way, lever: str, batch: int, work: Callable[[], object]
) -> Row:
    on_card = bench.device.type == "cuda"
    work()  # compiles, and finds its kernels
    if on_card:
        torch.cuda.reset_peak_memory_stats(bench.device)
    seconds = [timed(work) for _ in range(bench.runs)]
    held = torch.cuda.max_memory_allocated(bench.device) if on_card else status_mb("VmHWM") * 2**20
    return Row(
        way=way,
        lever=lever,
        batch=batch,
        ms=1000 * statistics.median(seconds) / batch,
        peak_gb=held / 1e9,
        floor_ms=1000 * flops.klein(way, bench.size, bench.kind).whole / bench.rate,
    )


def _not_run(way: str, lever: str, error: Exception) -> str:
    why = "out of memory" if isinstance(error, torch.OutOfMemoryError) else str(error)
    said = (why.strip() or type(error).__name__).splitlines()[0].replace("|", "/")
    return f"| {way} | {lever} | - | not run: {said} | - | - | - | - |"


def _painter(bench: Bench, pipeline: PeoplePipeline, folder: Path) -> flux.KleinPainter:
    high, wide = bench.size
    width = bench.kind.embed_width
    return flux.KleinPainter(
        pipeline,
        embeddings=Embeddings(
            folder,
            revision="random",
            encode=lambda texts: torch.randn(len(texts), models.TEXT_TOKENS, width),
        ),
        version="klein at random",
        width_px=wide,
        height_px=high,
    )


def _work(
    painter: flux.KleinPainter, way: flops.Way, bench: Bench, batch: int
) -> Callable[[], object]:
    """One pass from commissions to pictures in memory, as the engine asks for it."""
    if way != "selfie":
        people = [flops.blank(bench.size, way, seed) for seed in range(batch)]
        return lambda: painter.paint(people, step=_go_on)
    alone = [flops.blank(bench.size, "two", seed) for seed in range(batch)]
    return lambda: _with_selfie_alone(painter, alone)


def _with_selfie_alone(painter: flux.KleinPainter, people: Sequence[Commission]) -> object:
    """What the goals speak of, which is no way of the engine's: the pose is not shown."""
    pipeline = painter._pipeline
    latents = pipeline.serve(
        [[person.selfie] for person in people],
        prompt_embeds=painter._embeds(people),
        seeds=[person.seed for person in people],
        width_px=painter.width_px,
        height_px=painter.height_px,
        step=_go_on,
    )
    return painter._decoding(latents)()


def _call(pipeline: Any, bench: Bench, way: flops.Way) -> Callable[[], object]:
    high, wide = bench.size
    person = flops.blank(bench.size)
    arrays = [person.selfie] if way == "selfie" else flux._shown(person, way)
    pictures = [Image.fromarray(each) for each in arrays]
    return lambda: (
        pipeline(
            image=pictures,
            prompt=person.prompt,
            height=high,
            width=wide,
            guidance_scale=1.0,
            num_inference_steps=STEPS,
            generator=torch.Generator(bench.device).manual_seed(0),
        ).images
    )


def _parts(bench: Bench) -> dict[str, Any]:
    """Built where they stay. The random weights are torch's own: they neither vanish nor grow."""
    with _on(bench):
        transformer, vae = bench.kind.transformer(), bench.kind.vae()
    return {
        "scheduler": tiny.scheduler(),
        "vae": vae.requires_grad_(False),
        "tokenizer": None,
        "transformer": transformer.requires_grad_(False),
        "is_distilled": True,
    }


@contextmanager
def _on(bench: Bench) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(bench.dtype)
    try:
        with bench.device:
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _torn_down(bench: Bench) -> Iterator[None]:
    """What was compiled or held before must not count for what comes."""
    torch.compiler.reset()
    gc.collect()
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()
    yield


def _go_on(number: int, steps: int) -> None:
    """Nobody cancels."""


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    sys.exit(main())
