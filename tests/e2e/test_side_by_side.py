# SPDX-License-Identifier: MIT
"""What others do to a connection while the application is busy with it: nothing is lost, nothing is done twice."""

import os
import time

import pytest
from classes import CLASSES, class_arguments
from rawclient import wait_until

pytestmark = pytest.mark.quick

APP = """
    import os, threading, time
    from basic import app as basic_app, answer, query

    def wait_for(name):
        end = time.monotonic() + 30
        while not os.path.exists(name) and time.monotonic() < end:
            time.sleep(0.01)

    class Closing:
        def __init__(self, size):
            self.items = iter([b"x" * size])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.items)

        def close(self):
            open("closing", "w").close()
            wait_for("go")

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/closing":
            size = int(query(environ, "size"))
            start_response("200 OK", [("Content-Length", str(size))])
            return Closing(size)
        if path == "/threads":
            return threads(start_response)
        return basic_app(environ, start_response)

    def threads(start_response):
        "Other threads write as well; one of them is still at it when the request ends."
        write = start_response("200 OK", [])

        def run():
            open("begun", "w").close()
            try:
                while True:
                    write(b"y" * 300000)
            except (RuntimeError, OSError):
                pass

        others = [threading.Thread(target=run) for _ in range(3)]
        for one in others:
            one.start()
        wait_for("begun")
        return [b"x" * 300000] * 5
"""


@pytest.fixture(params=CLASSES)
def start(request, server):
    arguments = class_arguments(request.param)
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if request.param == "gevent" else {}

    def begin(args=()):
        server.write("busy.py", APP)
        return server.start("busy:app", args=[*arguments, *args], env=env)

    return begin


def read_what_there_is(client):
    client.sock.settimeout(0.3)
    try:
        while client.more():
            pass
    except TimeoutError:
        pass
    client.sock.settimeout(15)


@pytest.mark.parametrize("start", ["gthread", "gevent"], indirect=True)
def test_a_client_reads_while_the_answer_is_closed(start, server):
    """The kernel says that there is room again while close() runs, and never again."""
    start()
    size = 20_000_000
    with server.raw(receive_buffer=65536) as client:
        assert client.request("GET", "/").text == "hello"
        client.send(f"GET /closing?size={size} HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: os.path.exists(server.folder / "closing"))
        read_what_there_is(client)
        server.write("go", "")
        assert len(client.read_response().body) == size
        assert client.request("GET", "/").text == "hello"


def test_slow_readers_of_files_hold_nobody_up(start, server):
    start()
    size = 20_000_000
    (server.folder / "large").write_bytes(b"0123456789" * (size // 10))
    clients = [server.raw(receive_buffer=4096) for _ in range(6)]
    try:
        for client in clients:
            client.send(f"GET /file?path=large&length={size} HTTP/1.1\r\nHost: h\r\n\r\n")
        for client in clients:
            client.read_until(b"\r\n\r\n")
        assert server.get("/").text == "hello"
        assert len(clients[0].read_exactly(size)) == size
    finally:
        for client in clients:
            client.close()
    assert server.get("/").text == "hello"


LOGGER = """
    import logging, os, time

    class Slow(logging.Handler):
        def createLock(self):
            self.lock = None

        def emit(self, record):
            if "Invalid request" not in record.getMessage():
                return
            with open("refused", "a") as file:
                file.write(record.getMessage() + "\\n")
            end = time.monotonic() + 30
            while not os.path.exists("go") and time.monotonic() < end:
                time.sleep(0.01)

    def post_worker_init(worker):
        worker.log.error_log.addHandler(Slow())
"""


def test_a_logger_that_waits_has_the_connection_for_itself(start, server):
    """Meanwhile there is more to read from it."""
    server.write("gunicorn.conf.py", LOGGER)
    start()
    (worker,) = server.workers()
    refused = server.folder / "refused"
    with server.raw() as client:
        client.send(b"BAD\x01 / HTT")
        time.sleep(0.1)  # the worker waits for the rest, and hears of all that comes
        client.send(b"P/1.1\r\n\r\n")
        wait_until(refused.exists)
        for _ in range(5):
            client.send(b"more")
            time.sleep(0.05)
        client.half_close()
        server.write("go", "")
        assert client.read_response().code == 400
        client.expect_close()
    assert server.get("/").text == "hello"
    assert len(refused.read_text().splitlines()) == 1
    assert server.workers() == [worker]


def test_threads_of_the_application_write_until_the_end(start, server):
    """What the client gets is nobody's promise; the worker lives."""
    start()
    (worker,) = server.workers()
    for _ in range(10):
        (server.folder / "begun").unlink(missing_ok=True)
        with server.raw() as client:
            client.send(b"GET /threads HTTP/1.0\r\n\r\n")
            client.read_to_end()
    assert server.get("/").text == "hello"
    assert server.workers() == [worker]
