"""Every file that leaves says of itself, to machines, that a machine made it.

Source: IPTC Photo Metadata Standard 2024.1, DigitalSourceType, whose terms are of
http://cv.iptc.org/newscodes/digitalsourcetype/; XMP specification, part 1, 7.3 to 7.6.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Final

from PIL import Image, PngImagePlugin

from figurine.types import Pixels

_TERMS: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE: Final = _TERMS + "compositeSynthetic"
"""Sculpt's: a face out of a photo on a body that was modelled."""
TRAINED: Final = _TERMS + "trainedAlgorithmicMedia"
"""What a diffusion model painted."""

_PACKET: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' Iptc4xmpExt:DigitalSourceType="{source}"/>'
    "</rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
)


def source_of(engine: str) -> str:
    """The term for what this engine makes."""
    return COMPOSITE if engine == "sculpt" else TRAINED


def comment(source: str) -> str:
    """For files that have no field for the term."""
    return f"AI-generated ({source})"


def save(
    pixels: Pixels, to: Path | IO[bytes], *, engine: str, format: str | None = None, **how: Any
) -> None:
    """Write a picture (H, W, 3 or 4) uint8 sRGB with the term in its XMP: JPEG, WebP or PNG.

    `to` is a file or a path, whose ending tells the format. Raises OSError.
    """
    packet = _PACKET.format(source=source_of(engine))
    of_png = PngImagePlugin.PngInfo()
    of_png.add_itxt("XML:com.adobe.xmp", packet)
    # Each format takes what is its own.
    Image.fromarray(pixels).save(to, format, xmp=packet.encode(), pnginfo=of_png, **how)
