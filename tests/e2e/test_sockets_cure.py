# SPDX-License-Identifier: MIT
"""A worker that is told to hold back, let go or empty an upstream connection, at once instead of after a minute."""

import socket
import time

from fakemaster import REMEDIES, wait_until
from test_agent import pusher  # noqa: F401
from test_template import begin  # noqa: F401

FORGETFUL = """
    import os, socket
    KEPT = []

    def app(environ, start_response):
        if not KEPT:
            KEPT.append(socket.create_connection(("127.0.0.1", %d)))
            KEPT[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            KEPT[0].sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        while os.path.exists("read"):
            try:
                KEPT[0].recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
        room = str(KEPT[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)).encode()
        start_response("200 OK", [("Content-Length", str(len(room)))])
        return [room]
"""


def room(master):
    return int(master.ask().partition("\r\n\r\n")[2])


def order(worker, remedy, amount=0):
    worker.link.send("remedy", serial=1, remedy=REMEDIES.index(remedy), flags=0, amount=amount)
    time.sleep(0.2)  # the next look must be a later one


def test_a_forgotten_upstream_connection_is_held_back_and_emptied(begin, pusher):  # noqa: F811
    master = begin(app__py=FORGETFUL % pusher.port)
    master.start()
    worker = master.fork()
    held_back = 2 * 32 * 1024  # the kernel doubles what it is told
    assert room(master) > held_back

    wait_until(lambda: order(worker, "clamp") or room(master) == held_back)
    for _ in range(4):
        order(worker, "defuse")
    assert not pusher.ended, "a minute has not passed"
    wait_until(lambda: order(worker, "defuse", amount=1) or pusher.ended)


def test_what_was_held_back_is_let_go_once_it_is_read(begin, tmp_path):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        master = begin(app__py=FORGETFUL % upstream.getsockname()[1])
        master.start()
        worker = master.fork()
        room(master)
        with upstream.accept()[0] as connection:
            connection.sendall(b"x" * (1 << 20))
            wait_until(lambda: order(worker, "clamp") or room(master) == 2 * 32 * 1024)
            (tmp_path / "read").touch()
            wait_until(lambda: order(worker, "clamp") or room(master) > 2 * 32 * 1024)
