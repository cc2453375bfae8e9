from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import var_folder
from deploy.exits import ExitCode, StartFailure
from deploy.var_folder import open_var, write_private

ROOT = Path(__file__).resolve().parents[2]
HOLD = (
    "import sys; from pathlib import Path; from deploy.var_folder import open_var;"
    "open_var(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_var_folder_is_private(tmp_path: Path) -> None:
    var = open_var(tmp_path / "var")
    folders = (var.path, var.logs, var.run)
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 3
    assert var.secret_key.stat().st_mode & 0o777 == 0o600
    os.close(var.lock)


def test_secret_key_stays_from_start_to_start(tmp_path: Path) -> None:
    first = open_var(tmp_path)
    secret = first.secret_key.read_text()
    os.close(first.lock)
    second = open_var(tmp_path)
    assert second.secret_key.read_text() == secret
    assert len(secret) >= 50
    os.close(second.lock)


def test_secret_key_of_a_start_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    (tmp_path / "secret_key.new").write_text("half of o")
    var = open_var(tmp_path)
    assert len(var.secret_key.read_text()) >= 50
    assert var.secret_key.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "secret_key.new").exists()
    os.close(var.lock)


def test_private_file_whose_disk_is_full_keeps_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "secret_key"
    write_private(file, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(file, b"after")
    assert file.read_bytes() == b"before"


def test_var_folder_unwritable_is_one_sentence(tmp_path: Path) -> None:
    # Below a file: refused to root as to anybody.
    (tmp_path / "file").write_text("")
    with pytest.raises(StartFailure) as caught:
        open_var(tmp_path / "file" / "var")
    assert caught.value.code is ExitCode.UNWRITABLE
    assert str(caught.value) == (
        f"The folder {tmp_path / 'file' / 'var'} cannot be written (Not a directory); "
        "make it yours, or name another: make run VAR=/some/folder"
    )


def test_var_folder_in_use_is_refused_and_free_again_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(var_folder, "LOCK_PATIENCE_S", 0.1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StartFailure) as caught:
        open_var(tmp_path)
    assert caught.value.code is ExitCode.ALREADY_RUNNING
    assert f"(process {holder.pid})" in str(caught.value)
    holder.communicate()
    os.close(open_var(tmp_path).lock)
