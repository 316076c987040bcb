# SPDX-License-Identifier: MIT
"""syslog: over each kind of socket, and a syslog that is dead or stuck costs nothing but its messages."""

import contextlib
import re
import select
import socket

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick


class Receiver:
    def __init__(self, family, kind, address):
        self.socket = socket.socket(family, kind)
        self.socket.bind(address)
        self.kind = kind
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.clients = []
        self.text = b""

    def take(self):
        ready, _, _ = select.select([self.socket, *self.clients], [], [], 0)
        for one in ready:
            if one is self.socket and self.kind == socket.SOCK_STREAM:
                self.clients.append(one.accept()[0])
            else:
                self.text += one.recv(65536)
        return self.text.decode()

    def wait(self, pattern):
        wait_until(lambda: re.search(pattern, self.take(), re.MULTILINE), what=f"{pattern} in {self.text}")

    def close(self):
        for one in (self.socket, *self.clients):
            one.close()


KINDS = {
    "udp": (socket.AF_INET, socket.SOCK_DGRAM, "udp://127.0.0.1:{port}"),
    "tcp": (socket.AF_INET, socket.SOCK_STREAM, "tcp://127.0.0.1:{port}"),
    "unix": (socket.AF_UNIX, socket.SOCK_DGRAM, "unix://{path}"),
    "stream": (socket.AF_UNIX, socket.SOCK_STREAM, "unix://{path}#stream"),
}


@pytest.fixture
def listen(server):
    """listen(kind): the receiver and its address for --log-syslog-to."""
    with contextlib.ExitStack() as stack:

        def make(name):
            family, kind, text = KINDS[name]
            path = str(server.folder / "devlog")
            made = Receiver(family, kind, path if family == socket.AF_UNIX else ("127.0.0.1", 0))
            stack.callback(made.close)
            return made, text.format(path=path, port=made.socket.getsockname()[1])

        yield make


@pytest.mark.parametrize("kind", KINDS)
def test_lines_of_master_worker_and_access_log(server, listen, kind):
    receiver, address = listen(kind)
    server.start(args=["--log-syslog", "--log-syslog-to", address, "--log-syslog-prefix", "my%p", "--log-syslog-facility", "local3"])
    (worker,) = server.workers()
    assert server.get("/").code == 200
    receiver.wait(rf"<158>gunicorn\.my%p\.error: \[{server.pid}\] Listening at: http://127\.0\.0\.1:\d+ \({server.pid}\)\0")
    receiver.wait(rf"<158>gunicorn\.my%p\.error: \[{worker}\] Booting worker with pid: {worker}\0")
    receiver.wait(rf'<158>gunicorn\.my%p\.access: \[{worker}\] 127\.0\.0\.1 - - .*"GET / HTTP/1\.1" 200 5 "-" "-"\0')
    assert server.get("/raise").code == 500
    receiver.wait(rf"<155>gunicorn\.my%p\.error: \[{worker}\] Error handling request /raise\nTraceback")
    server.wait_log(r"\[INFO\] Listening at")  # in addition to the error log
    server.stop()
    receiver.wait(rf"\[{server.pid}\] Shutting down: Master\0")


def test_defaults_and_no_access_lines(server, listen):
    receiver, address = listen("udp")
    server.start(args=["--log-syslog", "--log-syslog-to", address, "--disable-redirect-access-to-syslog"])
    server.get("/")
    server.stop()
    receiver.wait(rf"<14>gunicorn\.basic\.app\.error: \[{server.pid}\] Shutting down: Master\0")
    assert "access" not in receiver.take()


@pytest.mark.parametrize("address", ["unix:///nowhere/log", "tcp://127.0.0.1:1", "udp://127.0.0.1:1"])
def test_nobody_listens(server, address):
    server.start(args=["--log-syslog", "--log-syslog-to", address])
    assert [server.get("/").code for _ in range(5)] == [200] * 5
    server.stop()


@pytest.mark.parametrize("kind", ["unix", "stream"])
def test_a_stuck_syslog_stops_nothing_and_what_is_lost_is_told(server, listen, kind):
    receiver, address = listen(kind)
    server.start(args=["--log-syslog", "--log-syslog-to", address])
    with server.raw() as client:
        for _ in range(3000):  # more than any buffer between the two
            assert client.request().code == 200
        server.wait_log(r"\[INFO\] Booting worker")

        def told():
            receiver.take()
            assert client.request().code == 200
            return re.search(r"gunicorn\.basic\.app\.access: \[\d+\] \d+ log messages were lost\0", receiver.take())

        wait_until(told)


def test_bad_values(server):
    for option, value, sentence in (
        ("--log-syslog-facility", "nonsense", "unknown facility name"),
        ("--log-syslog-to", "here:514", "invalid syslog address"),
        ("--log-syslog-to", "udp://h:x", "'x' is not a valid port number."),
    ):
        result = server.run(["-b", "127.0.0.1:0", "--log-syslog", option, value, "basic:app"])
        assert result.returncode == 1 and sentence in result.stderr, result
