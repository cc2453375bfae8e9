"""joining: several solids into one, here or in a process of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from figurine import apart, joining
from figurine.errors import NotSolid, OutOfMemory

HALF_TURN = np.asarray([[-2.0, 0, 0, 1], [0, -2, 0, 0], [0, 0, 2, 0]])


def box(*, at: float, size: float = 1.0) -> joining.Solid:
    made = trimesh.creation.box((size, size, size))
    return made.vertices + np.asarray([at, 0, 0]), made.faces.astype(np.int32)


def test_overlapping_solids_are_one_and_crumbs_are_left_out() -> None:
    parts = [box(at=0), box(at=0.5), box(at=9, size=0.01)]
    (whole,) = joining.join(parts, turn=HALF_TURN, weld=0.001, crumb=1e-4)
    mesh = trimesh.Trimesh(*whole)
    assert mesh.volume == pytest.approx(1.5 * 8)
    assert mesh.bounds.ravel() == pytest.approx([-1, -1, -1, 2, 1, 1])


def test_solids_apart_stay_several() -> None:
    parts = [box(at=0), box(at=5)]
    assert len(joining.join(parts, turn=HALF_TURN, weld=0.001, crumb=1e-4)) == 2


def test_joined_in_another_process_it_is_the_same_to_the_bit() -> None:
    parts = [box(at=0), box(at=0.5), box(at=5)]
    here = joining.join(parts, turn=HALF_TURN, weld=0.001, crumb=1e-4)
    apart = joining.join_apart(parts, turn=HALF_TURN, weld=0.001, crumb=1e-4)
    assert len(here) == len(apart) == 2
    for one, other in zip(here, apart, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert [array.dtype for array in one] == [array.dtype for array in other]


@pytest.mark.parametrize("join", [joining.join, joining.join_apart])
def test_what_is_open_is_refused(join: Callable[..., object]) -> None:
    vertices, faces = box(at=0)
    with pytest.raises(NotSolid):
        join([(vertices, faces[1:])], turn=HALF_TURN, weld=0.001, crumb=1e-4)


def test_killed_process_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemory, match="signal 9"):
        apart.run("tests.figurine.felled", {"by": 9})


def test_broken_process_is_no_selfies_fault() -> None:
    with pytest.raises(RuntimeError, match="ended with 1"):
        apart.run("figurine.joining", {})


def test_allocation_that_fails_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemory):
        apart.run("tests.figurine.felled", {"by": 0})
