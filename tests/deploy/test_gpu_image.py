"""The GPU worker's image is not built in the suite; what it is told is compared with the tree."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.util import find_spec

from deploy import programs, pulse
from figurine.engines.sculpt import backend
from tests.deploy.conftest import ROOT

FOLDER = ROOT / "deploy/gpu"


def steps() -> list[tuple[str, str]]:
    """Instructions and their arguments, comments and line ends gone."""
    text = re.sub(r"^\s*#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word
    ]


def told(instruction: str) -> list[str]:
    return [rest for word, rest in steps() if word == instruction]


def test_image_copies_what_is_there_and_nothing_private() -> None:
    copied = [rest.split()[0] for rest in told("COPY")]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert set(copied) == {
        *("requirements/gpu.txt", "manage.py", "static"),
        *("figurine", "campaign", "billboard", "deploy"),
    }
    let_in = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in let_in if line.startswith("!")}
    assert "*" in let_in
    assert kept == {name.partition("/")[0] for name in copied}


def test_image_runs_as_nobody_special() -> None:
    words = [word for word, _ in steps()]
    assert told("USER") == ["diorama"]
    assert max(i for i, word in enumerate(words) if word == "RUN") < words.index("USER")


def test_image_has_the_projects_torch_before_the_pins_without_their_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = [one for one in project["optional-dependencies"]["gpu"] if one.startswith("torch=")]
    assert [f"TORCH={one}" for one in pinned] == told("ARG")[1:]
    installs = [rest for rest in told("RUN") if rest.startswith("pip install")]
    assert installs == [
        'pip install --no-cache-dir "${TORCH}"',
        "pip install --no-cache-dir --no-deps -r /tmp/requirements/gpu.txt",
    ]
    pins = (ROOT / "requirements/gpu.txt").read_text()
    assert not re.search(r"^torch==", pins, re.MULTILINE), "torch comes first, by itself"


def test_image_traces_poses_with_the_llvm_that_mitsuba_takes() -> None:
    installed = next(rest for rest in told("RUN") if rest.startswith("apt-get update"))
    (version,) = re.findall(r"\blibllvm(\d+)\b", installed)
    assert f"libLLVM-{version}.so" in backend._LIBRARIES
    (environment,) = told("ENV")[1:]
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility " in environment


def test_image_has_a_cuda_base_and_names_no_package_registry() -> None:
    assert told("ARG")[0].startswith("CUDA_IMAGE=nvidia/cuda:")
    assert told("FROM") == ["${CUDA_IMAGE}"]
    assert "://" not in (FOLDER / "Dockerfile").read_text()


def test_image_runs_the_worker_that_make_run_would() -> None:
    entry, command = (json.loads(told(word)[0]) for word in ("ENTRYPOINT", "CMD"))
    watchdog = pulse._parse([*entry[3:], *command])
    assert (entry[:3], watchdog.name) == (["python", "-m", "deploy.pulse"], "worker-gpu-0")
    ours = programs.gpu_worker(0, environment={}, var=ROOT)
    assert watchdog.command == ["python", *ours.command[1:]]
    assert find_spec(command[command.index("-A") + 1])


def test_image_is_healthy_when_the_worker_is_ready() -> None:
    (check,) = told("HEALTHCHECK")
    asked = json.loads(check.partition("CMD ")[2])
    options = pulse._parse(asked[3:])
    assert (asked[:3], options.ready, options.name) == (
        ["python", "-m", "deploy.pulse"],
        True,
        "worker-gpu-0",
    )
