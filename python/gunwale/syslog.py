# SPDX-License-Identifier: MIT
"""The handler for syslog: a SysLogHandler that never waits.

Nothing listens, the connection hangs or the socket is full: messages wait in a small buffer (streams) or are dropped and
counted, and the count is told when it flows again. Each process has a socket of its own.
"""

import contextlib
import logging
import logging.handlers
import os
import re
import select
import socket
import time

FACILITIES = {
    "auth": 4, "authpriv": 10, "cron": 9, "daemon": 3, "ftp": 11, "kern": 0, "lpr": 6, "mail": 2, "news": 7,
    "security": 4, "syslog": 5, "user": 1, "uucp": 8,
    **{f"local{number}": 16 + number for number in range(8)},
}  # fmt: skip

DEFAULT_PORT = 514
BUFFER_BYTES = 65536
RETRY_SECONDS = 1.0
LAST_SECONDS = 1.0


def parse_address(text):
    """(socket type or None, address); RuntimeError when it is none. gunicorn: udp:// and tcp:// are names for a type."""
    if text.startswith("unix://"):
        path, _, kind = text[len("unix://"):].partition("#")
        return (socket.SOCK_DGRAM if kind == "dgram" else socket.SOCK_STREAM if kind == "stream" else None), path
    for prefix, kind in (("udp://", socket.SOCK_DGRAM), ("tcp://", socket.SOCK_STREAM)):
        if text.startswith(prefix):
            address = text[len(prefix):]
            break
    else:
        raise RuntimeError("invalid syslog address")
    match = re.fullmatch(r"(?:\[(?P<six>[^]]*)\]|(?P<host>[^:]*))(?::(?P<port>.*))?", address)
    if match is None:
        raise RuntimeError(f"invalid syslog address {text!r}")
    port = match["port"] or str(DEFAULT_PORT)
    if not port.isdigit() or int(port) > 65535:
        raise RuntimeError(f"{port!r} is not a valid port number.")
    return kind, ((match["six"] or match["host"] or "localhost").lower(), int(port))


def _targets(kind, address):
    """What to try, in this order: (family, type, address)."""
    if isinstance(address, str):
        return [(socket.AF_UNIX, one, address) for one in ([kind] if kind else [socket.SOCK_DGRAM, socket.SOCK_STREAM])]
    return [(family, one, where) for family, one, _, _, where in socket.getaddrinfo(*address, 0, kind)]


class Handler(logging.handlers.SysLogHandler):
    def __init__(self, text, facility):
        number = FACILITIES.get(facility.lower())
        if number is None:
            raise RuntimeError("unknown facility name")
        logging.Handler.__init__(self)
        self.socktype, self.address = parse_address(text)
        self.facility = number
        self.unixsocket = isinstance(self.address, str)
        self.socket = None
        self.timeout = None
        self._kind = self.socktype
        self._pid = os.getpid()
        self._waiting = b""
        self._not_before = 0.0
        self._lost = 0
        # Names are looked up once, here; a look-up may take its time.
        try:
            self._targets = _targets(self.socktype, self.address)
        except OSError as error:
            raise RuntimeError(f"syslog address {text}: {error}") from error

    def createSocket(self):
        """Whichever target takes us; a connection may still be under way when this returns."""
        for family, kind, where in self._targets:
            made = socket.socket(family, kind)
            made.setblocking(False)
            try:
                made.connect(where)
            except BlockingIOError:
                pass
            except OSError:
                made.close()
                continue
            self.socket, self._kind = made, kind
            return

    def _drop_socket(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self._not_before = time.monotonic() + RETRY_SECONDS
        self._lost += self._waiting.count(b"\0")
        self._waiting = b""

    def _is_open(self):
        if self._pid != os.getpid():  # the parent's connection
            self._pid = os.getpid()
            if self.socket is not None:
                self.socket.close()
            self.socket, self._waiting, self._not_before = None, b"", 0.0
        if self.socket is None and time.monotonic() >= self._not_before:
            self.createSocket()
            if self.socket is None:
                self._not_before = time.monotonic() + RETRY_SECONDS
        return self.socket is not None

    def _flush(self):
        """What waits for a stream; False when the connection is broken."""
        try:
            while self._waiting:
                self._waiting = self._waiting[self.socket.send(self._waiting):]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drop_socket()
            return False
        return True

    def _send(self, message):
        """False when it is lost."""
        for _ in range(2):
            if not self._is_open():
                return False
            if self._kind == socket.SOCK_STREAM:
                if len(self._waiting) + len(message) > BUFFER_BYTES and not self._flush():
                    continue
                if len(self._waiting) + len(message) > BUFFER_BYTES:
                    return False
                self._waiting += message
                if self._flush():
                    return True
                continue
            try:
                self.socket.send(message)
                return True
            except BlockingIOError:
                return False
            except OSError:
                self._drop_socket()  # syslog was started again: a datagram socket must connect again, too
                self._not_before = 0.0
        self._not_before = time.monotonic() + RETRY_SECONDS
        return False

    def _wrap(self, text, level):
        priority = self.encodePriority(self.facility, self.mapPriority(level))
        return f"<{priority}>{self.ident}{text}\0".encode("utf-8", "backslashreplace")

    def emit(self, record):
        try:
            message = self._wrap(self.format(record), record.levelname)
            if self._lost and self._is_open():
                told = logging.LogRecord(record.name, logging.WARNING, "", 0, "%d log messages were lost", (self._lost,), None)
                if self._send(self._wrap(self.format(told), "WARNING")):
                    self._lost = 0
            if not self._send(message):
                self._lost += 1
        except Exception:
            self.handleError(record)

    def close(self):
        """Gives a slow connection a last moment."""
        deadline = time.monotonic() + LAST_SECONDS
        while self.socket is not None and self._waiting and self._pid == os.getpid() and time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                select.select([], [self.socket], [], 0.05)
            if not self._flush():
                break
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        logging.Handler.close(self)
