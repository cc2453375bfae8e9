"""figurine/sheet: a page of portraits, refusals named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from figurine.__main__ import main
from figurine.sheet import CAPTION_PX, CELL_PX, sitters
from tests.photos import portrait


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(portrait("collins"), folder / "a_collins.png")
    (folder / "b_page.jpg").write_text("<html>not a picture</html>")
    return folder


def test_sitters_keep_the_code_of_a_refusal(photos: Path) -> None:
    someone, nobody = sitters(sorted(photos.iterdir()))
    assert (someone.refusal, nobody.refusal) == ("", "not_an_image")
    assert someone.selfie is not None and nobody.selfie is None


def test_sheet_has_a_cell_for_everyone(photos: Path, tmp_path: Path) -> None:
    words = ["sheet", str(photos), "-o", str(tmp_path), "--kit", "soldier", "--finish", "painted"]
    words += ["--pose", "salute"]
    assert main([*words, "--columns", "2"]) == 0
    with Image.open(tmp_path / "soldier-salute-painted.png") as page:
        assert page.size == (2 * CELL_PX[0], CELL_PX[1] + CAPTION_PX)
        made, refused = (
            page.crop((x, 0, x + CELL_PX[0], CELL_PX[1])).convert("L") for x in (0, CELL_PX[0])
        )
    assert len(set(made.tobytes())) > 100
    assert len(set(refused.tobytes())) == 1


def test_folder_without_photos_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sheet", str(tmp_path)])
    assert ended.value.code == 2
