"""Synthetic face models: small, the same every time, and run by insightface's real classes.

The recogniser's 512 numbers say what a face's chip looks like on a grid of 8 x 8, so that the same
chip gives the same numbers and another one others; of people it knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from figurine.weights import manifest, store
from figurine.weights.manifest import File

OPSET: Final = 17
STRIDES: Final = (8, 16, 32)
"""Of SCRFD's three levels, two anchors a cell. Source: insightface, model_zoo/scrfd.py."""


def recogniser(path: Path, *, size: int = 512, side_px: int = 112, seed: int = 4) -> Path:
    """Write a random recogniser (N, 3, side, side) -> (N, size), about 400 KB, as ONNX."""
    cells = 8
    weights = np.random.default_rng(seed).standard_normal((3 * cells * cells, size))
    nodes = [
        helper.make_node("ReduceMean", ["face"], ["level"], axes=[1, 2, 3], keepdims=1),
        # "Sub" in a name would make insightface believe that the model centres its input itself.
        helper.make_node("Sub", ["face", "level"], ["centred"], name="centre"),
        helper.make_node(
            "AveragePool",
            ["centred"],
            ["grid"],
            kernel_shape=[side_px // cells] * 2,
            strides=[side_px // cells] * 2,
        ),
        helper.make_node("Flatten", ["grid"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
    ]
    return _save(
        path,
        nodes,
        takes=("face", ["n", 3, side_px, side_px]),
        gives=[("embedding", ["n", size])],
        constants={"weights": weights.astype(np.float32)},
    )


def blob_detector(path: Path, *, face_px: int = 64) -> Path:
    """Write a detector in SCRFD's form that takes bright blobs for faces, `face_px` wide."""
    nodes: list[Any] = []
    gives: list[tuple[str, list[Any]]] = []
    constants: dict[str, Any] = {}
    five = np.asarray([[-16, -16], [16, -16], [0, 0], [-12, 16], [12, 16]]) * face_px / 64
    for stride in STRIDES:
        s = str(stride)
        reach = face_px / 2 / stride if stride == STRIDES[0] else 0
        constants |= {
            f"box{s}": np.full((1, 4), reach, np.float32),
            f"five{s}": (five.reshape(1, 10) / stride).astype(np.float32),
            f"bright{s}": np.float32(0.7),
            f"steep{s}": np.float32(40 if stride == STRIDES[0] else 0),
            f"never{s}": np.float32(0 if stride == STRIDES[0] else -20),
            f"column{s}": np.asarray([-1, 1], np.int64),
            f"twice{s}": np.asarray([1, 2], np.int64),
            f"nought{s}": np.float32(0),
        }
        nodes += [
            helper.make_node("ReduceMean", ["photo"], [f"grey{s}"], axes=[1], keepdims=1),
            helper.make_node(
                "AveragePool",
                [f"grey{s}"],
                [f"cell{s}"],
                kernel_shape=[stride] * 2,
                strides=[stride] * 2,
            ),
            helper.make_node("Sub", [f"cell{s}", f"bright{s}"], [f"over{s}"]),
            helper.make_node("Mul", [f"over{s}", f"steep{s}"], [f"sure{s}"]),
            helper.make_node("Add", [f"sure{s}", f"never{s}"], [f"odds{s}"]),
            helper.make_node("Sigmoid", [f"odds{s}"], [f"share{s}"]),
            helper.make_node("Reshape", [f"share{s}", f"column{s}"], [f"one{s}"]),
            helper.make_node("Tile", [f"one{s}", f"twice{s}"], [f"two{s}"]),
            helper.make_node("Reshape", [f"two{s}", f"column{s}"], [f"score{s}"]),
            helper.make_node("Mul", [f"score{s}", f"nought{s}"], [f"zero{s}"]),
            helper.make_node("Add", [f"zero{s}", f"box{s}"], [f"boxes{s}"]),
            helper.make_node("Add", [f"zero{s}", f"five{s}"], [f"points{s}"]),
        ]
    for what, width in (("score", 1), ("boxes", 4), ("points", 10)):
        gives += [(f"{what}{stride}", [f"cells{stride}", width]) for stride in STRIDES]
    return _save(path, nodes, takes=("photo", [1, 3, "h", "w"]), gives=gives, constants=constants)


def pack(folder: Path) -> Path:
    """Write a pack as insightface's FaceAnalysis takes one: a detector and a recogniser."""
    folder.mkdir(parents=True, exist_ok=True)
    blob_detector(folder / "detector.onnx")
    recogniser(folder / "recogniser.onnx")
    return folder


def shelve(monkeypatch: Any, weights: Path, *names: str, stamped: bool = True) -> None:
    """Make the manifest tell of what lies in `weights/NAME`, as if that had been fetched.

    Licences, needs and the rest stay the real manifest's; only the files differ.
    """
    told = {one.name: one for one in manifest.all_sets()}
    for name in names:
        home = weights / name
        files = tuple(_files(home))
        told[name] = _with_files(told[name], files)
        if stamped:
            store.write_stamp(home, files)
    monkeypatch.setattr(manifest, "all_sets", lambda: tuple(told.values()))


def _files(home: Path) -> Iterable[File]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.name != store.STAMP:
            size, digest = store.measure(path)
            yield File(path.relative_to(home).as_posix(), size, digest)


def _with_files(one: manifest.Set, files: tuple[File, ...]) -> manifest.Set:
    return manifest.Set(**{**vars(one), "files": files})


def _save(
    path: Path,
    nodes: list[Any],
    *,
    takes: tuple[str, list[Any]],
    gives: list[tuple[str, list[Any]]],
    constants: dict[str, Any],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "synthetic",
        [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, takes[1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in gives],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
