"""A recipe as a sentence, and sentences as embeddings that are kept on disk.

The name on the plinth is not in the sentence: the render shows it, and a sentence a visitor would
need the text encoder for each.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from figurine import kits, recipes
from figurine.engines.klein.painter import References
from figurine.types import Recipe

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_WORDS: Final = Path(__file__).with_name("prompts.toml")
_IN_MEMORY: Final = 24
"""Embeddings of 8 MB each (512 tokens of 7680 numbers in bf16): about a campaign's kits."""


def prompt(recipe: Recipe, *, references: References, faces: int = 1) -> str:
    """What to ask a model for. Raises UnknownKit."""
    kit = recipes.posed(recipe)
    return _prompt(kit, recipe.finish, references, is_squad=faces > 1)


def close_up(faces: int) -> str:
    """What to ask of a figurine's head alone, for painters that are shown nothing else of it."""
    words, many = _words(), "squad" if faces > 1 else "one"
    asked = words["closeup"][many].format(whom=words["whom"][many])
    return " ".join([asked, words["likeness"][many], words["closeup"]["framing"]])


def shelf(references: References) -> Iterator[str]:
    """Every prompt of the library's kits, poses and finishes, for one person and for squads."""
    for name in kits.names():
        for pose in recipes.poses(name) or {"": ""}:
            kit = kits.load(name).posed(pose)
            for finish in kit.finishes:
                yield _prompt(kit, finish, references, is_squad=False)
                yield _prompt(kit, finish, references, is_squad=True)


def digest(text: str) -> str:
    """Eight hex digits that tell a prompt from any other."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _prompt(kit: kits.Kit, finish: str, references: References, *, is_squad: bool) -> str:
    words, many = _words(), "squad" if is_squad else "one"
    told: Mapping[str, Any] = words["kits"].get(kit.name) or words["kits"]["*"]
    figure = told["figure"].format(title=kit.title.lower())
    pose = "" if is_squad else told.get("poses", {}).get(kit.pose, "")
    material = words["finishes"].get(finish) or words["finishes"]["*"]
    return " ".join(
        [
            words["shape"][many].format(figure=", ".join(filter(None, [figure, pose]))) + ".",
            words["likeness"][many],
            words["ways"][references].format(whom=words["whom"][many]),
            material.format(title=kit.finish(finish).title.lower()),
            words["framing"]["*"],
        ]
    )


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(_WORDS.read_text("utf-8"))


Encode = Callable[[Sequence[str]], "torch.Tensor"]
"""Prompts to embeddings, (N, L, D)."""


class Embeddings:
    """Prompt embeddings by text, kept in memory, on disk, or made: in this order."""

    def __init__(self, folder: Path, *, revision: str, encode: Encode) -> None:
        """revision: of the model; another one's embeddings are other files. encode: called for
        what is not there yet, never otherwise, so that it may load the text encoder."""
        self._folder, self._revision, self._encode = folder, revision, encode
        self._kept: OrderedDict[str, torch.Tensor] = OrderedDict()

    def of(self, texts: Sequence[str]) -> torch.Tensor:
        """(N, L, D) on the CPU, in the order of the texts."""
        import torch  # noqa: PLC0415 - prompts are asked for where there is no torch

        distinct = list(dict.fromkeys(texts))
        found = {text: self._found(text) for text in distinct}
        missing = [text for text in distinct if found[text] is None]
        found |= self._made(missing)
        for text in distinct:
            self._keep(text, found[text])
        return torch.stack([found[text] for text in texts])

    def prepare(self, texts: Sequence[str]) -> None:
        """See to it that these lie on disk, without keeping them in memory."""
        self._made([text for text in dict.fromkeys(texts) if self._read(text) is None])

    def _found(self, text: str) -> torch.Tensor | None:
        kept = self._kept.get(text)
        return kept if kept is not None else self._read(text)

    def _made(self, texts: Sequence[str]) -> dict[str, Any]:
        if not texts:
            return {}
        made = dict(zip(texts, self._encode(texts).cpu(), strict=True))
        for text, tensor in made.items():
            self._write(text, tensor.contiguous())
        return made

    def _keep(self, text: str, tensor: torch.Tensor) -> None:
        self._kept[text] = tensor
        self._kept.move_to_end(text)
        while len(self._kept) > _IN_MEMORY:
            self._kept.popitem(last=False)

    def path(self, text: str) -> Path:
        """Where a prompt's embedding lies."""
        key = hashlib.sha256(f"{self._revision}\0{text}".encode()).hexdigest()
        return self._folder / f"{key[:32]}.safetensors"

    def _read(self, text: str) -> torch.Tensor | None:
        """None where there is none, and where the file is not what was written."""
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - as above

        try:
            with safe_open(self.path(text), "pt") as file:
                told, tensor = file.metadata() or {}, file.get_tensor("embeds")
        except (OSError, SafetensorError):
            return None
        return tensor if told.get("sha256") == _checksum(tensor) else None

    def _write(self, text: str, tensor: torch.Tensor) -> None:
        """Whole or not at all: several workers may write the same prompt at once."""
        from safetensors.torch import save  # noqa: PLC0415 - as above

        data = save({"embeds": tensor}, {"sha256": _checksum(tensor), "prompt": text})
        try:
            self._replace(self.path(text), data)
        except OSError as error:
            # Figurines go on; but each start encodes anew, which the crew should know.
            log.error("%s keeps no prompts: %s", self._folder, error)

    def _replace(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


def _checksum(tensor: torch.Tensor) -> str:
    import torch  # noqa: PLC0415 - as above

    return hashlib.sha256(tensor.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
