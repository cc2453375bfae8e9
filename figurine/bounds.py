"""How much an upload may weigh. Apart from decode.py, so that a web process can read it cheaply."""

from typing import Final

MAX_BYTES: Final = 12_000_000
MAX_PIXELS: Final = 40_000_000
MAX_SIDE_PX: Final = 2048
"""Photos are shrunk to this: a face that fills the oval is then about 1,000 px wide, four times
what the figurine shows.
"""
