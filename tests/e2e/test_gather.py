# SPDX-License-Identifier: MIT
"""Pieces of a stream that come quickly leave together, and never wait for a slow one."""

import socket
import struct
import time

import pytest
from classes import class_arguments
from rawclient import Closed

APP = """
    import os
    import threading
    import time

    def app(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        return {"/quick": quick, "/burst": burst, "/broken": broken, "/writing": writing}[environ["PATH_INFO"]](write)

    def quick(write):
        for number in range(3000):
            until = time.perf_counter() + 0.00001
            while time.perf_counter() < until:
                pass
            yield b"%06d\\n" % number

    def burst(write):
        for number in range(50):
            yield b"%06d\\n" % number
        time.sleep(3)
        yield b"end"

    def broken(write):
        for number in range(50):
            yield b"%06d\\n" % number
        raise ValueError("no more")

    def writing(write):
        for number in range(500):
            yield b"%06d\\n" % number
            if number % 50 == 49:
                write(b"written\\n")
"""
DATA_SEGMENTS_IN = 152  # struct tcp_info, linux/tcp.h


@pytest.fixture(params=["sync", "gthread", "gevent"])
def server(servers, request):
    server = servers()
    server.write("streams.py", APP)
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if request.param == "gevent" else {}
    return server.start("streams:app", workers=1, args=class_arguments(request.param), env=env)


def lines(count):
    return b"".join(b"%06d\n" % number for number in range(count))


def segments(client):
    return struct.unpack_from("I", client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), DATA_SEGMENTS_IN)[0]


def test_quick_pieces_leave_together(server):
    with server.raw() as client:
        assert client.request(target="/quick").body == lines(3000)
        assert segments(client) < 1000
        assert client.request(target="/quick").body == lines(3000)


def test_none_waits_for_a_slow_one(server):
    with server.raw() as client:
        for _ in range(2):
            client.send_request(target="/burst")
            began = time.monotonic()
            client.read_until(b"000049\n\r\n")
            assert time.monotonic() - began < 2
            assert client.read_until(b"0\r\n\r\n") == b"3\r\nend\r\n"
            assert time.monotonic() - began > 2


def test_what_was_given_before_an_error_arrives(server):
    with server.raw() as client:
        client.send_request(target="/broken")
        client.read_until(b"000049\n\r\n")
        with pytest.raises(Closed):
            client.read_until(b"0\r\n\r\n")


def test_write_stays_in_order(server):
    expected = b"".join(b"%06d\n" % number + (b"written\n" if number % 50 == 49 else b"") for number in range(500))
    with server.raw() as client:
        for _ in range(3):
            assert client.request(target="/writing").body == expected


def test_a_client_that_leaves_disturbs_nobody(server):
    for _ in range(20):
        with server.raw() as client:
            client.send_request(target="/quick")
            client.read_until(b"000020\n")
    with server.raw() as client:
        assert client.request(target="/quick").body == lines(3000)
    assert len(server.workers()) == 1 and not server.log_contains(r"\[(ERROR|CRITICAL)\]")
