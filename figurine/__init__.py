"""From a selfie to a figurine: pixels and geometry, no Django.

A plain library with a command line (`python -m figurine`). Heavy engines are imported where they
are used, so that importing this package costs nothing.
"""

__version__ = "0.1.0"
