"""Taking a port before anything slow is done, so that a mistake is told at once, and being told to stop."""

from __future__ import annotations

import errno
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from fuzzsmooth.common.errors import FuzzsmoothError


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address, which does not listen yet.

    Raises:
        FuzzsmoothError: If there is no such address, or it is in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise FuzzsmoothError(f"there is no address '{host}' here; give another --host") from error
    listener = socket.socket(family, kind, protocol)
    try:
        # A server that was killed leaves connections behind, which must not keep its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise unbound(host, port, error) from error
    return listener


def unbound(host: str, port: int, error: OSError) -> FuzzsmoothError:
    """Why an address cannot be listened at, and how to mend it."""
    mend = "give another --host"
    if error.errno == errno.EADDRINUSE:
        mend = "stop what listens there, or give another --port"
    elif error.errno in (errno.EACCES, errno.EPERM):
        mend = "give a --port above 1023"
    return FuzzsmoothError(f"cannot listen at {host}, port {port}: {error.strerror}; {mend}")


def is_local(address: str) -> bool:
    """Whether only this machine reaches an address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


@contextmanager
def stopped_by(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within, SIGTERM and Ctrl-C are told, and do nothing else; outside the main thread they cannot be had.

    Args:
        stop: Told the signal, as a handler of :mod:`signal` is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
