# SPDX-License-Identifier: MIT
"""Clients that are slow or silent: others are not disturbed by them, and each wait has an end."""

import contextlib
import threading
import time

import pytest
from classes import CLASSES, class_arguments
from rawclient import SLOW

quick = pytest.mark.quick

HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
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


@pytest.mark.parametrize("worker_class", CLASSES)
def test_a_dribbled_head_ends_after_30_seconds_in_all(start, worker_class):
    server = start(worker_class)
    with server.raw() as client:
        client.send(HEAD)
        began = time.monotonic()
        over = threading.Event()

        def dribble():
            with contextlib.suppress(OSError):
                while not over.wait(0.5):
                    client.send("a")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            client.expect_close(timeout=30 + 15 * SLOW)
        finally:
            over.set()
            thread.join()
        assert 29 < time.monotonic() - began


@pytest.mark.parametrize("worker_class", CLASSES)
def test_a_silent_body_ends_after_30_seconds(start, worker_class):
    server = start(worker_class)
    with server.raw() as client:
        client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na")
        began = time.monotonic()
        client.expect_close(timeout=30 + 15 * SLOW)
        assert 29 < time.monotonic() - began


@pytest.mark.parametrize("worker_class", CLASSES)
def test_silent_and_idle_clients_are_closed(start, worker_class):
    server = start(worker_class, "--keep-alive", "1")
    with server.raw() as fresh, server.raw() as idle:
        assert idle.request().text == "ok"
        idle.expect_close(timeout=5 * SLOW)
        fresh.expect_close(timeout=6 + 5 * SLOW)
