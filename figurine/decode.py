"""Uploaded bytes to pixels: bounded before decoding, upright, sRGB, and nothing else kept."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

from figurine.bounds import MAX_BYTES, MAX_PIXELS, MAX_SIDE_PX
from figurine.errors import NotAnImage, OutOfMemory, TooLarge, Undecodable
from figurine.types import Pixels

DRAFT_SIDE_PX: Final = 1400
"""JPEGs whose short side is at least twice (four times …) this are decoded straight at a half (a
quarter …) of their size: a phone's 12 MP photo comes out at 2016 x 1512, in 60 ms.
"""

JPEG_QUALITY: Final = 92
"""With 4:4:4 chroma: 39 dB and more against the decoded photo on every sample portrait."""

HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
)
"""Source: ISO/IEC 23008-12, annex B; mif1 and msf1 from clause 10."""

PROFILE_SPACES: Final = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""ICC data colour space to the Pillow mode it describes."""

pillow_heif.register_heif_opener(thumbnails=False)
_SRGB: Final = ImageCms.createProfile("sRGB")


def decode(data: bytes) -> Pixels:
    """Turn an uploaded file into an upright photo: (H, W, 3) uint8 sRGB, long side ≤ MAX_SIDE_PX.

    The format is taken from the first bytes, never from a name. Of several frames the first is
    used; alpha is laid over white; metadata is dropped.

    Raises TooLarge, NotAnImage (no header we can read), Undecodable (a header, but no picture
    behind it), OutOfMemory.
    """
    # 1. Bound what is read at all, and settle the format.
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{len(data)} bytes")
    kind = sniff(data)
    # 2. Read the header only. Pillow merely warns of bombs below 179 MP, so refuse here.
    if kind == "WEBP":  # Pillow makes room for the whole canvas as it opens one
        _bound(*_webp_size(data))
    image = _open(data, kind)
    _bound(*image.size)
    # 3. Decode. A hostile file can raise whatever its decoder happens to trip over.
    try:
        return np.array(_upright_srgb(image))
    except MemoryError as error:
        raise OutOfMemory(f"decoding {image.size} px") from error
    except Exception as error:
        raise Undecodable(f"{kind}: {error!r}") from error


def encode_selfie(pixels: Pixels) -> bytes:
    """Write a photo as a JPEG without metadata: full colour resolution, JPEG_QUALITY."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return buffer.getvalue()


def sniff(data: bytes) -> str:
    """Name the format (as Pillow does) from the first bytes. Raises NotAnImage."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        return "HEIF"
    raise NotAnImage(f"starts with {data[:12]!r}")


def _bound(width_px: int, height_px: int) -> None:
    if width_px * height_px > MAX_PIXELS:
        raise TooLarge(f"{width_px} x {height_px} px")


def _open(data: bytes, kind: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=[kind])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(str(error)) from error
    except Exception as error:
        # these openers read on, past a good header, to the end of the file
        damaged = kind == "WEBP" or (kind == "HEIF" and _is_heif_begun(data))
        refusal = Undecodable if damaged else NotAnImage
        raise refusal(f"{kind} header: {error!r}") from error


def _is_heif_begun(data: bytes) -> bool:
    """Whether the box after the first is the picture's description. Source: ISO/IEC 14496-12."""
    first_box_bytes = int.from_bytes(data[:4], "big")
    return data[first_box_bytes + 4 : first_box_bytes + 8] == b"meta"


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP's first chunk. Source: RFC 9649, sections 2.5 to 2.7."""
    chunk, body = data[12:16], data[20:30]
    if len(body) == 10 and chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and chunk == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if len(body) == 10 and chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return (
            int.from_bytes(body[6:8], "little") & 0x3FFF,
            int.from_bytes(body[8:10], "little") & 0x3FFF,
        )
    raise NotAnImage(f"WebP without a picture: {chunk!r}")


def _upright_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image.draft(None, (DRAFT_SIDE_PX, DRAFT_SIDE_PX))
    image = ImageOps.exif_transpose(image)
    image = _flatten(image)
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _to_srgb(image, profile)


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any mode down to L, RGB or CMYK, eight bits a channel, alpha over white."""
    if image.mode.startswith("I"):  # 16-bit greyscale; Pillow's own conversion clips it
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        photo = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo).convert("RGB")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode in ("1", "LA") else "RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply the embedded profile. One that is damaged or of another colour space is ignored,
    as browsers do: the picture is then read as sRGB.
    """
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = PROFILE_SPACES.get(source.profile.xcolor_space.strip())
            if mode == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            if mode == image.mode:
                converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
                return converted or image
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")
