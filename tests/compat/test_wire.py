# SPDX-License-Identifier: MIT
"""The same bytes sent to gunicorn and to gunwale: the answers must be the same, byte by byte, but for the server's name and Date.

Differences that are wanted stand in the tables, each with its reason.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from test_cli import GUNICORN, GUNWALE, pytestmark  # noqa: F401

SLOW = float(os.environ.get("GUNWALE_SLOW", "1"))
APP = """
import json

def app(environ, start_response):
    path = environ["PATH_INFO"]
    kind = [("Content-Type", "text/plain")]
    if path.startswith(("/environ", "/rest")):
        shown = {key: value if isinstance(value, (str, bool, int)) else list(value) if isinstance(value, tuple) else True
                 for key, value in environ.items()}
        start_response("200 OK", kind)
        return [json.dumps(shown, sort_keys=True).encode()]
    if path == "/raise":
        raise ValueError("application")
    if path == "/raise-later":
        def later():
            yield b"begun"
            raise ValueError("application")
        start_response("200 OK", kind)
        return later()
    if path == "/late-start":
        def late():
            start_response("201 Made", kind)
            yield b""
            yield b"late"
        return late()
    if path == "/odd":
        start_response("299 Quite Odd  ", [("X-Empty", ""), ("x-lower", " a b "), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
                                          ("X-Latin", "caf\\xe9")])
        return [b"a", b"", b"bc"]
    if path == "/nothing":
        start_response("204 No Content", [])
        return []
    if path == "/unchanged":
        start_response("304 Not Modified", [("ETag", '"x"')])
        return []
    if path == "/long":
        start_response("200 OK", [("Content-Length", "3")])
        return [b"more than three"]
    if path == "/body":
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    if path == "/write":
        write = start_response("200 OK", kind)
        write(b"written ")
        return [b"returned"]
    if path == "/hop":
        start_response("200 OK", [("Connection", "close"), ("Date", "today"), ("Server", "mine"), ("Keep-Alive", "x"),
                                  ("Content-Length", "0")])
        return []
    if path == "/replaced":
        start_response("200 OK", [("X-First", "1")])
        try:
            raise KeyError
        except KeyError:
            import sys
            start_response("500 Replaced", [("X-Second", "2"), ("Content-Length", "1")], sys.exc_info())
        return [b"x"]
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""


class Running:
    def __init__(self, command, folder):
        self.log = open(folder / "log", "w+")
        arguments = ["-b", "127.0.0.1:0", "-k", "gthread", "--threads", "2", "app:app"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("GUNICORN_")}
        env.update(PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(folder.parent))
        self.process = subprocess.Popen(
            command + arguments, stdout=self.log, stderr=self.log, cwd=folder, env=env, start_new_session=True
        )
        self.port = int(self.wait(r"Listening at: http://127\.0\.0\.1:(\d+)"))

    def wait(self, pattern):
        end = time.monotonic() + 30 * SLOW
        while time.monotonic() < end and self.process.poll() is None:
            self.log.seek(0)
            found = re.search(pattern, self.log.read())
            if found:
                return found.group(1)
            time.sleep(0.02)
        self.log.seek(0)
        raise AssertionError(f"not in the log: {pattern}\n{self.log.read()}")

    def answer(self, data):
        """Everything that comes back, after we have said that nothing follows."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30 * SLOW) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            whole = b""
            try:
                while piece := sock.recv(65536):
                    whole += piece
            except ConnectionResetError:
                pass
        return plain(whole)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30 * SLOW)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def plain(answer):
    answer = re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: -", answer)
    return re.sub(rb"\r\nServer: (gunicorn|gunwale)[^\r]*", b"\r\nServer: -", answer)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    (folder / "app.py").write_text(APP)
    running = []
    try:
        for name, command in (("theirs", GUNICORN), ("ours", GUNWALE)):
            (folder / name).mkdir()
            running.append(Running(command, folder / name))
        yield running
    finally:
        for one in running:
            one.stop()


def lines(*texts):
    return "".join(text + "\r\n" for text in texts).encode("latin-1") + b"\r\n"


HOST = "Host: localhost"
SAME = {
    "get": lines("GET / HTTP/1.1", HOST),
    "get 1.0": lines("GET / HTTP/1.0"),
    "keep-alive 1.0": lines("GET / HTTP/1.0", "Connection: keep-alive"),
    "close": lines("GET / HTTP/1.1", HOST, "Connection: close"),
    "head": lines("HEAD / HTTP/1.1", HOST),
    "version 1.2": lines("GET / HTTP/1.2", HOST),
    "chunked answer": lines("GET /late-start HTTP/1.1", HOST),
    "unframed answer": lines("GET /late-start HTTP/1.0"),
    "odd fields": lines("GET /odd HTTP/1.1", HOST),
    "204": lines("GET /nothing HTTP/1.1", HOST),
    "304": lines("GET /unchanged HTTP/1.1", HOST),
    "cut to the length": lines("GET /long HTTP/1.1", HOST),
    "write": lines("GET /write HTTP/1.1", HOST),
    "hop by hop fields": lines("GET /hop HTTP/1.1", HOST),
    "application fails": lines("GET /raise HTTP/1.1", HOST),
    "application fails later": lines("GET /raise-later HTTP/1.1", HOST),
    "body": lines("POST /body HTTP/1.1", HOST, "Content-Length: 4") + b"body",
    "chunked body": lines("POST /body HTTP/1.1", HOST, "Transfer-Encoding: chunked") + b"4;x=y\r\nbody\r\n0\r\n\r\n",
    "trailers": lines("POST /body HTTP/1.1", HOST, "Transfer-Encoding: chunked") + b"4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n",
    "100 continue": lines("POST /body HTTP/1.1", HOST, "Content-Length: 4", "Expect: 100-continue") + b"body",
    "100 continue 1.0": lines("POST /body HTTP/1.0", "Content-Length: 4", "Expect: 100-continue") + b"body",
    "other expectation": lines("GET / HTTP/1.1", HOST, "Expect: tea"),
    "two requests": lines("GET / HTTP/1.1", HOST) + lines("GET /nothing HTTP/1.1", HOST, "Connection: close"),
    "no request": b"",
    "half a request": b"GET / HTTP/1.1\r\nHost: x",
    "request line of two words": lines("GET /", HOST),
    "request line of four words": lines("GET / now HTTP/1.1", HOST),
    "two blanks": lines("GET  / HTTP/1.1", HOST),
    "small letters": lines("get / HTTP/1.1", HOST),
    "odd method": lines("G<T / HTTP/1.1", HOST),
    "short method": lines("GE / HTTP/1.1", HOST),
    "relative target": lines("GET foo HTTP/1.1", HOST),
    "star": lines("GET * HTTP/1.1", HOST),
    "version 2": lines("GET / HTTP/2.0", HOST),
    "version 1.10": lines("GET / HTTP/1.10", HOST),
    "version word": lines("GET / FTP/1.1", HOST),
    "markup in the version": lines("GET / HTTP/<b>", HOST),
    "long request line": lines("GET /" + "x" * 5000 + " HTTP/1.1", HOST),
    "no colon": lines("GET / HTTP/1.1", HOST, "no colon here"),
    "blank before the colon": lines("GET / HTTP/1.1", HOST, "X-Blank : 1"),
    "odd field name": lines("GET / HTTP/1.1", HOST, "X(odd): 1"),
    "empty field name": lines("GET / HTTP/1.1", HOST, ": 1"),
    "NUL in a value": lines("GET / HTTP/1.1", HOST, "X-Nul: a\0b"),
    "folded field": lines("GET / HTTP/1.1", HOST, "X-Folded: a", " b"),
    "two hosts": lines("GET / HTTP/1.1", HOST, "Host: other"),
    "two lengths": lines("POST /body HTTP/1.1", HOST, "Content-Length: 4", "Content-Length: 4") + b"body",
    "odd length": lines("POST /body HTTP/1.1", HOST, "Content-Length: +4") + b"body",
    "length and chunked": lines("POST /body HTTP/1.1", HOST, "Content-Length: 4", "Transfer-Encoding: chunked"),
    "chunked twice": lines("POST /body HTTP/1.1", HOST, "Transfer-Encoding: chunked, chunked"),
    "chunked 1.0": lines("POST /body HTTP/1.0", "Transfer-Encoding: chunked"),
    "unknown coding": lines("POST /body HTTP/1.1", HOST, "Transfer-Encoding: tea"),
    "too many fields": lines("GET / HTTP/1.1", HOST, *[f"X-{number}: 1" for number in range(120)]),
    "long field": lines("GET / HTTP/1.1", HOST, "X-Long: " + "x" * 9000),
    "script name that does not fit": lines("GET / HTTP/1.1", HOST, "SCRIPT_NAME: /x"),
    "forbidden trailer": lines("POST /body HTTP/1.1", HOST, "Transfer-Encoding: chunked") + b"4\r\nbody\r\n0\r\nHost: x\r\n\r\n",
}


# name: (a part of gunicorn's answer, what stands there in ours)
DIFFERENT = {
    # RFC 9110 6.2: a server answers with its own version.
    "version 1.2": (b"HTTP/1.2 200", b"HTTP/1.1 200"),
    # The body is here already; RFC 9110 10.1.1 lets the server leave 100 out then.
    "100 continue": (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    # What has come is not counted when it is too much anyway.
    "long request line": (b"(5014 &gt; 4094)", b"(4095 &gt; 4094)"),
    "forbidden trailer": (b"Length: 163", b"Length: 142", b"HTTP header name: &#x27;HOST&#x27;", b"trailer field"),
}


def wanted(name, theirs):
    parts = DIFFERENT.get(name, ())
    for old, new in zip(parts[::2], parts[1::2]):
        assert old in theirs, "gunicorn has changed"
        theirs = theirs.replace(old, new)
    return theirs


@pytest.mark.parametrize("name", SAME)
def test_the_same_answer(both, name):
    theirs, ours = (server.answer(SAME[name]) for server in both)
    assert ours == wanted(name, theirs)


ENVIRONS = {
    "plain": lines("GET /environ?a=b%20c HTTP/1.1", HOST, "X-Two: 1", "X-Two: 2", "Cookie: a", "Cookie: b", "Connection: close"),
    "escapes": lines("GET /%65nviron/%3Fx/../%E2%82%AC%zz%2f?%41#frag HTTP/1.1", HOST, "Connection: close"),
    "body": lines("POST /environ HTTP/1.1", HOST, "Content-Length: 2", "Content-Type: text/x; a=b", "Connection: close") + b"xy",
    "1.0": lines("GET /environ HTTP/1.0"),
    "absolute": lines("GET http://localhost/environ?q HTTP/1.1", HOST, "Connection: close"),
    "script name": lines("GET /environ/rest HTTP/1.1", HOST, "SCRIPT_NAME: /environ", "Connection: close"),
    "underscores": lines("GET /environ HTTP/1.1", HOST, "X_Under: 1", "X-Forwarded-Proto: https", "Connection: close"),
    "latin-1": lines("GET /environ HTTP/1.1", HOST, "X-Name: J\xf6rg", "Connection: close"),
}


@pytest.mark.parametrize("name", ENVIRONS)
def test_the_same_environ(both, name):
    theirs, ours = (environ_of(server.answer(ENVIRONS[name]), server.port) for server in both)
    assert ours.pop("SERVER_SOFTWARE").startswith("gunwale/")
    assert theirs.pop("SERVER_SOFTWARE").startswith("gunicorn/")
    assert ours == theirs


def environ_of(answer, port):
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = re.sub(rb"(?:\r\n)?[0-9A-F]+\r\n", b"", body)
    shown = json.loads(body)
    assert shown.pop("REMOTE_PORT").isdigit()
    assert shown.pop("SERVER_PORT") == str(port)
    return shown
