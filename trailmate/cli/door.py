"""The socket a server listens on: opened so that a taken port is one sentence, closed so that nobody is cut off."""

from __future__ import annotations

import ctypes
import socket
import struct
from contextlib import suppress

from engine.domain.errors import Unavailable

_BACKLOG = 1024
# Linux: a filter of one line that lets nothing through. Whoever knocks hears nothing, knocks again after a second, and
# by then hears that nobody is there.
_SO_ATTACH_FILTER, _LET_NOTHING_THROUGH = 26, struct.pack("HBBI", 0x06, 0, 0, 0)


def listening(host: str, port: int) -> socket.socket:
    """A socket on this address; raises Unavailable where the port is taken or the address is not ours."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).partition(" (")[0].lower()
        raise Unavailable(
            f"cannot listen on {host} port {port} ({reason}); stop what listens there, or choose another --port"
        ) from None


def let_nobody_in(listener: socket.socket) -> None:
    """Take no new lines while those that wait are still taken in: to close at once would cut them off.

    Where the system cannot do that, nothing happens.
    """
    program = ctypes.create_string_buffer(_LET_NOTHING_THROUGH)
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
