# SPDX-License-Identifier: MIT
"""gunicorn.socket: an application that serves the connection itself, and one that only looks at it."""

import base64
import hashlib
import os
import struct

import pytest
from classes import CLASSES, class_arguments
from rawclient import wait_until
from server import SLOW

REQUEST = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(params=CLASSES)
def start(request, server):
    """Starts the server with this worker class; for gevent the packages are needed."""
    arguments = class_arguments(request.param)
    env = {}
    if request.param == "gevent":
        env["VIRTUAL_ENV"] = request.getfixturevalue("packages")

    def begin(app="rawsocket:app", args=(), **more):
        return server.start(app, args=[*arguments, *args], env={**env, **more.pop("env", {})}, **more)

    return begin


def converse(server, path):
    client = server.raw()
    client.send(REQUEST.format(path))
    return client


@pytest.mark.quick
def test_an_application_takes_the_connection(start, server):
    start(args=["--access-logfile", "-"])
    with converse(server, "/echo") as client:
        assert client.read_head().code == 101
        for line in (b"one\n", b"two\n"):
            client.send(line)
            assert client.read_until(b"\n") == line[:-1]
        client.send("end\n")
        client.expect_close()
    assert server.get("/look").code == 200
    assert not server.log_contains("ERROR|Traceback")


@pytest.mark.quick
def test_looking_at_the_socket_changes_nothing(start, server):
    start()
    with server.raw() as client:
        assert client.request(target="/look").text == "[True, True, True, True, 'nothing to read']"
        client.send(REQUEST.format("/look") * 2)
        assert client.read_response().code == client.read_response().code == 200


def test_nothing_is_added_to_what_the_application_sent(server):
    server.start("rawsocket:app")
    for path in ("/silent_return", "/failing"):
        with converse(server, path) as client:
            assert client.read_response().body == b"raw"
            client.expect_close()
    server.wait_log("ValueError: after the raw answer")


def test_a_response_after_raw_bytes_is_sent_and_ends_the_connection(server):
    server.start("rawsocket:app")
    with converse(server, "/both") as client:
        response = client.read_response()
        assert response.interim[0].header("Link") == "</style.css>"
        assert (response.body, response.header("Connection")) == (b"final", "close")
        client.expect_close()


@pytest.mark.quick
def test_blocking_timeouts_and_non_blocking_work(start, server):
    start()
    with converse(server, "/timeouts") as client:
        assert client.read_until(b"\n") == b"['timeout', 'would block']"
        client.send("hello")
        assert client.read_to_end() == b"['timeout', 'would block', b'hello']"


def test_a_large_answer_waits_for_a_slow_client(start, server):
    start()
    with converse(server, "/large") as client:
        assert client.read_to_end() == b"x" * (8 << 20)


def test_a_thread_that_still_reads_sees_the_end(start, server):
    seen = server.folder / "seen"
    start(env={"READER_FILE": seen})
    with converse(server, "/reader_thread") as client:
        assert client.read_response().body == b"raw"
        client.expect_close()
    wait_until(lambda: seen.exists() and seen.read_text().startswith("ended with "), 15 * SLOW)
    assert server.get("/look").code == 200


def test_no_descriptor_stays_open(server):
    server.start("rawsocket:app", workers=1)
    server.get("/look")
    (worker,) = server.workers()
    before = len(os.listdir(f"/proc/{worker}/fd"))
    for _ in range(5):
        server.get("/look")
        with converse(server, "/silent_return") as client:
            client.read_response()
    wait_until(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= before, 15 * SLOW)


SOCK_APP = """
    import flask, flask_sock
    app = flask.Flask(__name__)
    sock = flask_sock.Sock(app)

    @sock.route("/echo")
    def echo(ws):
        while True:
            text = ws.receive()
            if text == "end":
                break
            ws.send("got " + text)

    @app.route("/")
    def index():
        return "plain"
"""


def send_frame(client, text):
    mask = os.urandom(4)
    data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text.encode()))
    client.send(struct.pack("!BB", 0x81, 0x80 | len(data)) + mask + data)


def read_frame(client):
    kind, size = struct.unpack("!BB", client.read_exactly(2))
    assert size < 126
    return kind, client.read_exactly(size)


def test_websockets_of_flask_sock(start, server, packages):
    server.write("sock_app.py", SOCK_APP)
    start("sock_app:app", env={"VIRTUAL_ENV": packages})
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
    with server.raw() as client:
        client.send_request("GET", "/echo", headers=upgrade)
        head = client.read_head()
        assert head.code == 101
        want = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert head.header("Sec-WebSocket-Accept") == base64.b64encode(want).decode()
        for text in ("one", "two"):
            send_frame(client, text)
            assert read_frame(client) == (0x81, b"got " + text.encode())
        send_frame(client, "end")
        assert read_frame(client)[0] == 0x88
        client.expect_close()
    assert server.get("/").text == "plain"
    assert not server.log_contains("ERROR|Traceback")
