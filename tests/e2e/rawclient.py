# SPDX-License-Identifier: MIT
"""A small HTTP/1.x client on a bare socket: sends exactly the bytes it is told and reads answers strictly.

Used by the tests instead of a library so that nothing is repaired on the way.
"""

import contextlib
import os
import random
import socket
import ssl
import time

SLOW = float(os.environ.get("GUNWALE_SLOW", "1"))  # sanitizers and busy machines need more patience


class Closed(Exception):
    """The server closed the connection before the answer was whole."""


class Response:
    def __init__(self, version, code, reason, headers):
        self.version = version
        self.code = code
        self.reason = reason
        self.headers = headers  # [(name, value)], as sent
        self.body = b""
        self.chunks = None  # sizes, when chunked
        self.interim = []  # 1xx answers before this one
        self.ended_by_close = False

    def header(self, name, default=None):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else default

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        import json

        return json.loads(self.body)

    def __repr__(self):
        return f"<Response {self.version} {self.code} {self.reason} {self.headers} {self.body[:200]!r}>"


class RawClient:
    """
    One connection. address is (host, port) or the path of a unix socket. `prelude` is sent before anything else (a PROXY
    header); with `tls`, an ssl.SSLContext, everything after it is encrypted.
    """

    def __init__(self, address, timeout=15.0 * SLOW, receive_buffer=None, tls=None, prelude=b"", session=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.is_at_end = False
        if prelude:
            self.sock.sendall(prelude)
        if tls:
            # A missing farewell is an error here: the server always says it.
            self.sock = tls.wrap_socket(
                self.sock, server_hostname="localhost", session=session, suppress_ragged_eofs=False
            )

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.sock.close()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    # sending

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.sendall(data)

    def send_request(self, method="GET", target="/", headers=(), body=None, version="HTTP/1.1", host="localhost"):
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        if body is not None and not any(name.lower() == "content-length" for name in dict(headers)):
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def request(self, method="GET", target="/", **arguments):
        self.send_request(method, target, **arguments)
        return self.read_response(method)

    # receiving

    def more(self):
        """Reads once; False at the end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_at_end = True
            return False
        self.buffer += data
        return True

    def read_until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise Closed(f"connection closed after {bytes(self.buffer)!r}, {mark!r} was expected")
        end = self.buffer.index(mark)
        head = bytes(self.buffer[:end])
        del self.buffer[: end + len(mark)]
        return head

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise Closed(f"connection closed {count - len(self.buffer)} bytes too early")
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_to_end(self):
        while self.more():
            pass
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def read_head(self):
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, code, reason = (lines[0].split(" ", 2) + [""])[:3]
        assert version in ("HTTP/1.0", "HTTP/1.1"), f"odd status line {lines[0]!r}"
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name.strip() == name and name, f"odd header line {line!r}"
            headers.append((name, value.strip(" \t")))
        return Response(version, int(code), reason, headers)

    def read_chunks(self, response):
        response.chunks = []
        pieces = []
        while True:
            size = int(self.read_until(b"\r\n"), 16)
            data = self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n", "a chunk does not end in CRLF"
            if size == 0:
                response.body = b"".join(pieces)
                return
            response.chunks.append(size)
            pieces.append(data)

    def read_response(self, method="GET"):
        interim = []
        response = self.read_head()
        while 100 <= response.code < 200 and response.code != 101:
            interim.append(response)
            response = self.read_head()
        response.interim = interim
        if method == "HEAD" or response.code in (204, 304):
            return response
        coding = response.header("Transfer-Encoding")
        length = response.header("Content-Length")
        if coding is not None:
            assert coding == "chunked" and length is None
            self.read_chunks(response)
        elif length is not None:
            response.body = self.read_exactly(int(length))
        else:
            response.body = self.read_to_end()
            response.ended_by_close = True
        return response

    def expect_close(self, timeout=15.0 * SLOW):
        """The server must close now without sending anything more."""
        assert not self.buffer, f"unexpected bytes {bytes(self.buffer)!r}"
        self.sock.settimeout(timeout)
        assert not self.more(), f"unexpected bytes {bytes(self.buffer)!r}"

    def is_closed_by_server(self):
        """Whether the end has arrived, without waiting."""
        self.sock.setblocking(False)
        try:
            return not self.more()
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.sock.settimeout(15.0 * SLOW)


def free_port():
    """
    A port that nobody listens on; for the few tests that need to know it before the server starts. Below those that the kernel
    gives by itself: another test's client would soon have it.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def can_connect(address):
    try:
        RawClient(address, timeout=5.0).close()
    except OSError:
        return False
    return True


def wait_until(question, timeout=15.0 * SLOW, what=None):
    """Asks again and again until the answer is true, and returns it."""
    end = time.monotonic() + timeout
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s still not: {what or question.__name__}")
        time.sleep(0.01)
