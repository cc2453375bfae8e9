"""What stands on the card: one model at a time, at which one claim paints at a time."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast, get_args

from figurine.engines.klein import frame, order
from figurine.engines.klein.order import Wish
from figurine.engines.klein.painter import Painter
from figurine.engines.klein.passes import Passes, forget
from figurine.engines.workshop import Workshop
from figurine.errors import DeviceLost, FigurineError, LicenceMissing, MissingModel, OutOfMemory


class _Loads(Protocol):
    needs: tuple[str, ...]
    """Names of its sets of weights."""
    wants_identity: bool

    def load(self, workshop: Workshop, *, width_px: int, height_px: int) -> Painter: ...


class Easel:
    """Threads take turns: who has none yet may pose, compare and store meanwhile."""

    def __init__(self, workshop: Workshop, painter: Painter | None = None) -> None:
        """With a painter given, that one paints whatever a recipe's model and frame."""
        self._workshop, self._given = workshop, painter
        self._turn = threading.Lock()
        self._painters: dict[tuple[int, int], Painter] = {}
        """Of the one model that is resident, by frame."""
        self._refused: dict[str, tuple[type[FigurineError], str]] = {}
        """By model, what it lacks: looked for once. As words, since an error that is kept keeps the
        people of the pass that raised it."""
        self._model = "klein" if painter else ""
        self._passes: defaultdict[str, Passes] = defaultdict(lambda: Passes(workshop.batch))
        """By model: what memory allows of one says nothing of another."""

    def capacity(self) -> int:
        """How many pictures a pass of the resident model may have."""
        return self._passes[self._model].size

    def has(self, wish: Wish) -> bool:
        """Whether nothing need be loaded for this model."""
        return self._given is not None or wish.model == self._model

    def wants_identity(self, wish: Wish) -> bool:
        """Whether this model draws by the selfie's face as a recogniser has it."""
        return (self._given or _painters_of(wish.model)).wants_identity

    def size_px(self, wish: Wish) -> tuple[int, int]:
        """Width and height of what is painted."""
        if self._given:
            return self._given.width_px, self._given.height_px
        return frame.FRAMES[wish.frame]

    def warm_up(self) -> None:
        """Load klein and run a pass of each size; where passes are compiled, of each frame too.
        Raises MissingModel, and OutOfMemory where not even one picture fits."""
        for name in get_args(order.Frame):
            with self.turn(Wish("klein", name, "two", 1, 0.0)) as (painter, passes):
                passes.warm_up(painter)
                if not getattr(painter, "is_compiled", False):
                    break

    @contextmanager
    def turn(self, wish: Wish) -> Iterator[tuple[Painter, Passes]]:
        """Wait until the card is free, and have it with this model's painter on it. Nobody keeps
        the painter any longer: another's turn may need its memory.

        Raises MissingModel, LicenceMissing, NoGpu, OutOfMemory, and DeviceLost where something
        broke since the card answers no more.
        """
        with self._turn:
            painter = self._painter(wish)
            try:
                yield painter, self._passes[self._model]
            except Exception as error:
                if _is_lost(self._workshop.device):
                    raise DeviceLost(f"{type(error).__name__}: {error}") from error
                raise

    def _painter(self, wish: Wish) -> Painter:
        """The painter of this model and frame. One model is resident: another's goes first.
        Raises MissingModel."""
        if self._given:
            return self._given
        painters = _painters_of(wish.model)
        self._look_for(painters, wish.model)
        if wish.model != self._model:
            self._painters.clear()
            forget()
            self._model = wish.model
        size_px = self.size_px(wish)
        if size_px not in self._painters:
            self._painters[size_px] = self._load(painters, wish.model, size_px)
        return self._painters[size_px]

    def _look_for(self, painters: _Loads, model: str) -> None:
        """Before the resident model goes for one that cannot come. Raises MissingModel,
        LicenceMissing."""
        from figurine import weights  # noqa: PLC0415 - with its manifest

        if model not in self._refused:
            try:
                for name in painters.needs:
                    weights.folder(name, self._workshop)
            except (MissingModel, LicenceMissing) as error:
                self._refused[model] = type(error), str(error)
        if model in self._refused:
            kind, words = self._refused[model]
            raise kind(words)

    def _load(self, painters: _Loads, model: str, size_px: tuple[int, int]) -> Painter:
        """Of the model that is there already, where it can serve another frame too."""
        import torch  # noqa: PLC0415 - heavy

        width_px, height_px = size_px
        for resident in self._painters.values():
            if hasattr(resident, "at"):
                return cast(Painter, resident.at(width_px, height_px))
        try:
            return painters.load(self._workshop, width_px=width_px, height_px=height_px)
        except MissingModel as error:
            self._refused[model] = type(error), str(error)
            raise
        except torch.OutOfMemoryError:
            pass
        # What follows is outside: the traceback holds on to as much of the model as was loaded.
        forget()
        raise OutOfMemory(f"no memory for {model}")


def _is_lost(device: str) -> bool:
    """Whether the workshop's device answers no more: after an illegal access or a fault of the
    card, every call of this process fails, and only another process can use it."""
    import torch  # noqa: PLC0415 - heavy

    if not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize(device or None)
    except RuntimeError:
        return True
    return False


def _painters_of(model: str) -> _Loads:
    if model == "qwen":
        from figurine.engines.klein.qwen import QwenPainter  # noqa: PLC0415 - heavy

        return QwenPainter
    if model == "sdxl":
        from figurine.engines.klein.sdxl import SdxlPainter  # noqa: PLC0415 - heavy

        return SdxlPainter
    from figurine.engines.klein.flux import KleinPainter  # noqa: PLC0415 - heavy

    return KleinPainter
