"""decode.py: what comes out is an upright sRGB photo, and nothing hostile is decoded at all."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from figurine.bounds import MAX_BYTES, MAX_SIDE_PX
from figurine.decode import decode, encode_selfie
from figurine.errors import FigurineError, NotAnImage, TooLarge, Undecodable
from figurine.types import Pixels
from tests.photos import portrait

FORMATS = ["JPEG", "PNG", "WEBP", "HEIF"]
HTML = b"<!doctype html><script>alert(1)</script>" * 50


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters() -> Image.Image:
    """A picture that is different in every orientation: four flat colours, 96 x 64."""
    image = Image.new("RGB", (96, 64), (200, 40, 40))
    image.paste((40, 200, 40), (48, 0, 96, 32))
    image.paste((40, 40, 200), (0, 32, 48, 64))
    image.paste((220, 220, 60), (48, 32, 96, 64))
    return image


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "a camera that tells"
    return tags.tobytes()


def largest_difference(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def mean_difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises this much and holds a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def swapped_primaries() -> bytes:
    """sRGB's own ICC profile, in which red and blue have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", FORMATS)
def test_decode_each_format_keeps_the_picture(kind: str) -> None:
    original = Image.open(portrait()).convert("RGB")
    pixels = decode(written(original, kind, quality=95))
    assert (str(pixels.dtype), pixels.shape) == ("uint8", (*original.size[::-1], 3))
    assert mean_difference(pixels, np.asarray(original)) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_turns_upright_by_exif(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = quarters()
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    pixels = decode(written(stored, "PNG", exif=exif(orientation)))
    assert np.array_equal(pixels, np.asarray(upright))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "HEIF"])
def test_decode_turns_upright_in_lossy_formats(kind: str) -> None:
    stored = quarters().transpose(Image.Transpose.ROTATE_90)
    pixels = decode(written(stored, kind, quality=95, exif=exif(6)))
    assert pixels.shape == (64, 96, 3)
    assert mean_difference(pixels, np.asarray(quarters())) < 6


def test_decode_applies_the_colour_profile() -> None:
    flat = Image.new("RGB", (8, 8), (250, 120, 10))
    pixels = decode(written(flat, "PNG", icc_profile=swapped_primaries()))
    assert largest_difference(pixels, np.full((8, 8, 3), (10, 120, 250), np.uint8)) <= 2


def test_decode_reads_a_damaged_profile_as_srgb() -> None:
    pixels = decode(written(quarters(), "PNG", icc_profile=b"not a profile" * 20))
    assert np.array_equal(pixels, np.asarray(quarters()))


def test_decode_takes_cmyk() -> None:
    pixels = decode(written(quarters().convert("CMYK"), "JPEG", quality=95))
    assert mean_difference(pixels, np.asarray(quarters())) < 6


def test_decode_takes_sixteen_bit_grey() -> None:
    ramp = np.arange(256, dtype=np.uint16)[None].repeat(4, 0)
    pixels = decode(written(Image.fromarray(ramp * 257), "PNG"))
    assert np.array_equal(pixels, np.dstack([ramp.astype(np.uint8)] * 3))


def test_decode_takes_sixteen_bit_colour() -> None:
    colours = np.arange(256, dtype=np.uint16)[None].repeat(4, 0)
    deep = np.dstack([colours, colours[:, ::-1], colours * 0]) * np.uint16(257)
    png = cv2.imencode(".png", np.ascontiguousarray(deep[..., ::-1]))[1].tobytes()
    assert np.array_equal(decode(png), (deep >> 8).astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_decode_lays_alpha_over_white(mode: str) -> None:
    clear = Image.new("RGBA", (8, 8), (90, 90, 90, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 8, 4))
    pixels = decode(written(clear.convert(mode), "PNG"))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert largest_difference(pixels[4:], np.full((4, 8, 3), 90, np.uint8)) <= 6


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_decode_takes_few_colours(mode: str) -> None:
    white = Image.new("RGB", (8, 8), "white").convert(mode)
    assert np.array_equal(decode(written(white, "PNG")), np.full((8, 8, 3), 255, np.uint8))


def test_decode_takes_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    data = written(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert np.array_equal(decode(data), np.asarray(frames[0]))


@pytest.mark.parametrize(("width", "height"), [(6000, 3000), (3000, 6000), (2049, 7), (4032, 3024)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_decode_bounds_the_long_side(kind: str, width: int, height: int) -> None:
    pixels = decode(written(Image.new("L", (width, height)), kind))
    assert max(pixels.shape[:2]) <= MAX_SIDE_PX
    assert pixels.shape[1] / pixels.shape[0] == pytest.approx(width / height, rel=0.005)


def test_encode_selfie_keeps_no_metadata() -> None:
    tagged = written(
        quarters(), "JPEG", exif=exif(1), icc_profile=swapped_primaries(), comment=b"x"
    )
    with Image.open(io.BytesIO(encode_selfie(decode(tagged)))) as clean:
        assert set(clean.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert (dict(clean.getexif()), clean.size) == ({}, (96, 64))


def test_encode_selfie_hardly_loses_anything() -> None:
    pixels = decode(portrait().read_bytes())
    error = (decode(encode_selfie(pixels)).astype(float) - pixels) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 38


def heif_claiming(width: int, height: int) -> bytes:
    data = bytearray(written(quarters(), "HEIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def webp_claiming(width: int, height: int) -> bytes:
    data = bytearray(written(quarters(), "WEBP", lossless=True))
    data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        bytes(MAX_BYTES + 1),
        png_header(8000, 5001),
        png_header(12000, 12000),
        png_header(60000, 60000),
        heif_claiming(8000, 5001),
        webp_claiming(16383, 16383),
        webp_claiming(8000, 5001),
    ],
    ids=["bytes", "png", "png-warned", "png-bomb", "heif", "webp-bomb", "webp"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decode_refuses_too_large_before_decoding(data: bytes) -> None:
    with pytest.raises(TooLarge):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        HTML,
        b"\xff\xd8\xff\xe0" + HTML,
        b"\x89PNG\r\n\x1a\n" + HTML,
        b"RIFF\x00\x10\x00\x00WEBP" + HTML,
        b"\x00\x00\x00\x18ftypheic" + HTML,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        written(quarters(), "GIF"),
        written(quarters(), "TIFF"),
        written(quarters(), "BMP"),
        written(quarters(), "PDF"),
        written(quarters(), "AVIF"),
    ],
    ids=[
        "empty", "zero", "html", "html-as-jpeg", "html-as-png", "html-as-webp", "html-as-heic",
        "svg", "gif", "tiff", "bmp", "pdf", "avif",
    ],
)  # fmt: skip
def test_decode_refuses_what_is_not_a_photo(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        decode(data)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", FORMATS)
def test_decode_refuses_a_truncated_photo(kind: str, share: float) -> None:
    whole = written(Image.open(portrait()).convert("RGB"), kind)
    with pytest.raises(Undecodable):
        decode(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("kind", FORMATS)
def test_decode_of_scrambled_bytes_raises_nothing_else(kind: str) -> None:
    whole = np.frombuffer(written(quarters().resize((192, 128)), kind), np.uint8)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        damaged = whole.copy()
        at = rng.integers(0, len(damaged), rng.integers(1, 8))
        damaged[at] = rng.integers(0, 256, len(at))
        try:
            pixels = decode(damaged.tobytes())
        except FigurineError as error:
            assert error.code in {"not_an_image", "undecodable", "too_large"}
        else:
            assert (str(pixels.dtype), pixels.ndim) == ("uint8", 3)
