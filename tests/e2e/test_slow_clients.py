# SPDX-License-Identifier: MIT
"""Clients that are slow or silent: others are not disturbed by them, and each wait has an end."""

import contextlib
import time

import pytest
from classes import CLASSES, class_arguments
from rawclient import SLOW

quick = pytest.mark.quick

HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
CHUNKED = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
APP = """
BIG = bytes(8 << 20)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    body = BIG if path != "/" else b"ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def start(server, request):
    def begin(worker_class, *args):
        (server.folder / "slow.py").write_text(APP)
        arguments = [*class_arguments(worker_class), *args]
        env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if worker_class == "gevent" else {}
        return server.start("slow:app", workers=1, args=arguments, env=env)

    return begin


@quick
@pytest.mark.parametrize("worker_class", CLASSES)
def test_at_the_limit_the_oldest_idle_connection_makes_room(start, worker_class):
    server = start(worker_class, "--worker-connections", "2", "--keep-alive", "600")
    with server.raw() as oldest, server.raw() as younger:
        assert oldest.request().text == "ok"
        assert younger.request().text == "ok"
        with server.raw() as late:
            assert late.request().text == "ok"
            oldest.expect_close()
            assert not younger.is_closed_by_server()
            assert younger.request().text == "ok"


@quick
@pytest.mark.parametrize("worker_class", CLASSES)
def test_at_the_limit_nobody_who_is_sending_makes_room(start, worker_class):
    server = start(worker_class, "--worker-connections", "2", "--keep-alive", "600")
    with server.raw() as first, server.raw() as second:
        first.send(HEAD)
        assert second.request().text == "ok"
        with server.raw() as late:
            assert late.request().text == "ok"
            second.expect_close()
            first.send("a\r\n\r\n")
            assert first.read_response().text == "ok"


@quick
@pytest.mark.parametrize("worker_class", CLASSES)
def test_slow_clients_are_not_waited_for(start, worker_class):
    server = start(worker_class)
    with contextlib.ExitStack() as stack:
        for number in range(120):
            client = stack.enter_context(server.raw(receive_buffer=4096))
            if number % 3 == 0:
                client.send(HEAD)
            elif number % 3 == 1:
                client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na")
            else:
                client.send_request(target="/big")
        began = time.monotonic()
        with server.raw() as normal:
            for _ in range(20):
                assert normal.request().text == "ok"
        # A single one that is waited for would cost seconds.
        assert time.monotonic() - began < 3 * SLOW


class Slow:
    """A client that does something each half second, until the server has closed the connection."""

    def __init__(self, client, act=None):
        self.client, self.act = client, act
        self.began = self.acted = time.monotonic()
        self.lived = None  # seconds

    def tick(self):
        if self.lived is None and (self.client.is_closed_by_server() or not self.is_accepted()):
            self.lived = time.monotonic() - self.began

    def is_accepted(self):
        if self.act and time.monotonic() > self.acted + 0.5:
            self.acted = time.monotonic()
            try:
                self.act(self.client)
            except OSError:
                return False
        return True


def send_some(size):
    return lambda client: client.send("a" * size)


@pytest.mark.parametrize("worker_class", CLASSES)
def test_waiting_for_a_request_ends_however_it_dribbles(start, worker_class):
    server = start(worker_class)
    with contextlib.ExitStack() as stack:

        def begin(text, act=None):
            client = stack.enter_context(server.raw())
            client.send(text)
            return Slow(client, act)

        body = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\na"
        ends = {
            "dribbled head": begin(HEAD, send_some(1)),
            "silent body": begin(body.format(1000)),
            "dribbled body": begin(body.format(60000), send_some(1)),
            "body at 200 bytes a second": begin(body.format(60000), send_some(100)),
            "dribbled chunks": begin(CHUNKED, lambda client: client.send("1\r\na\r\n")),
        }
        honest = begin(body.format(40000), send_some(500))
        until = time.monotonic() + 30 + 15 * SLOW
        while time.monotonic() < until and any(slow.lived is None for slow in ends.values()):
            for slow in (*ends.values(), honest):
                slow.tick()
            time.sleep(0.02)
        assert {name: slow.lived and slow.lived > 29 for name, slow in ends.items()} == dict.fromkeys(ends, True)
        assert honest.lived is None
        honest.client.send("a" * 40000)
        assert honest.client.read_response().text == "ok"


@pytest.mark.parametrize("worker_class", CLASSES)
def test_silent_and_idle_clients_are_closed(start, worker_class):
    server = start(worker_class, "--keep-alive", "1")
    with server.raw() as fresh, server.raw() as idle:
        assert idle.request().text == "ok"
        idle.expect_close(timeout=5 * SLOW)
        fresh.expect_close(timeout=6 + 5 * SLOW)
