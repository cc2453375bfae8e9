"""Length-prefixed messages over a stream socket: the whole language between web and sandbox."""

from __future__ import annotations

import socket
import struct
from typing import Final

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
LIMITS: Final = struct.Struct("!dIQB")
"""A request: wall-clock limit in seconds, CPU limit in seconds, memory limit in bytes, and how many
faces may be in the photo. The socket to the one who waits comes with it as a file descriptor.
"""

_LENGTH: Final = struct.Struct("!I")


def send_frame(peer: socket.socket, payload: bytes) -> None:
    """Send one message. Raises OSError when the peer is gone."""
    peer.sendall(_LENGTH.pack(len(payload)))
    peer.sendall(payload)


def receive_frame(peer: socket.socket) -> bytes:
    """Wait for one message. Raises EOFError when the peer closed before its end."""
    (length,) = _LENGTH.unpack(_receive_exactly(peer, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise EOFError(f"a frame of {length} bytes is no frame of ours")
    return _receive_exactly(peer, length)


def _receive_exactly(peer: socket.socket, length: int) -> bytes:
    received = bytearray(length)
    view = memoryview(received)
    at = 0
    while at < length:
        count = peer.recv_into(view[at:])
        if count == 0:
            raise EOFError(f"peer closed after {at} of {length} bytes")
        at += count
    return bytes(received)
