# SPDX-License-Identifier: MIT
"""Class sync: small answers that are ready together leave together, and never wait for a slow request."""

import os
import signal
import time

import pytest

pytestmark = pytest.mark.quick

APP = """
    import time

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/slow":
            time.sleep(3)
        until = time.monotonic() + 0.0001
        while time.monotonic() < until:
            pass
        answer = path.encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
        return [answer]
"""
GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def server(servers):
    server = servers()
    server.write("short.py", APP)
    return server.start("short:app", workers=1, args=["--keep-alive", "5"])


def make_short(client, count):
    """So many short requests in a row that answers may be put aside."""
    for number in range(count):
        client.send(GET.format(f"/{number}").encode())
        assert client.read_response().body == b"/%d" % number


def test_answers_that_leave_together_reach_their_clients(server):
    with server.raw() as first:
        make_short(first, 100)
        clients = [server.raw() for _ in range(40)]
        try:
            for round_ in range(20):
                for number, client in enumerate(clients):
                    client.send(GET.format(f"/{round_}/{number}").encode())
                for number, client in enumerate(clients):
                    assert client.read_response().body == b"/%d/%d" % (round_, number)
        finally:
            for client in clients:
                client.close()


def test_a_slow_request_keeps_no_answer_back(server):
    """All of them are there at once when the worker wakes up, the slow one as the last."""
    (worker,) = server.workers()
    with server.raw() as first, server.raw() as slow:
        make_short(first, 100)
        make_short(slow, 1)
        clients = [server.raw() for _ in range(8)]
        try:
            for client in clients:
                make_short(client, 1)
            time.sleep(0.1)  # until it has asked to hear of each of them again: it hears in the order in which they come
            os.kill(worker, signal.SIGSTOP)
            for client in clients:
                client.send(GET.format("/a").encode())
            slow.send(GET.format("/slow").encode())
            os.kill(worker, signal.SIGCONT)
            began = time.monotonic()
            for client in clients:
                assert client.read_response().body == b"/a"
            assert time.monotonic() - began < 2
            assert slow.read_response().body == b"/slow"
            assert time.monotonic() - began >= 3
        finally:
            os.kill(worker, signal.SIGCONT)
            for client in clients:
                client.close()
