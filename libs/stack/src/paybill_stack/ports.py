"""Free loopback ports, taken below the range from which the system picks ports for outgoing connections."""

import secrets
import socket
from collections.abc import Container

from paybill_stack import StackError

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 20_000, 31_999
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether we could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def find_free(taken: Container[int] = ()) -> int:
    """A free port that is not in `taken`.

    Raises:
        StackError: two hundred random tries found none.
    """
    for _ in range(_TRIES):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
        if port not in taken and is_free(port):
            return port
    raise StackError(f"no free loopback port found between {_FIRST} and {_LAST}; close some programs and try again")


def keep_or_find(remembered: int | None, taken: Container[int] = ()) -> int:
    """The remembered port while it is free, else another."""
    return remembered if remembered is not None and is_free(remembered) else find_free(taken)
