# SPDX-License-Identifier: MIT
"""Clients that are slow or silent: others are not disturbed by them, and each wait has an end."""

import contextlib
import select
import ssl
import time

import certs
import pytest
from classes import CLASSES, class_arguments
from rawclient import SLOW, wait_until

quick = pytest.mark.quick

HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
CHUNKED = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
APP = """
import time

BIG = bytes(8 << 20)

with open("big", "wb") as file:
    file.write(BIG)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    body = b"ok" if path in ("/", "/part") else BIG
    write = start_response("200 OK", [("Content-Length", str(len(body)))])
    if path == "/file":
        return environ["wsgi.file_wrapper"](open("big", "rb"))
    if path == "/pieces":
        return (body[at:at + 4096] for at in range(0, len(body), 4096))
    if path == "/part":
        environ["wsgi.input"].read(60000)
    if path == "/sleep":
        open("asleep", "w").close()
        time.sleep(3)
    if path == "/write":
        write(body)
        return []
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
def test_at_the_limit_nobody_waits_longer_than_a_client_is_spared(start, worker_class):
    server = start(worker_class, "--worker-connections", "2", "--keep-alive", "600")
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(server.raw())
        busy.send(HEAD)
        assert stack.enter_context(server.raw()).request().text == "ok"
        for _ in range(4):
            late = stack.enter_context(server.raw())
            began = time.monotonic()
            assert late.request().text == "ok"
            # A quarter of a second after the last answer; the next look at everything may be a second away.
            assert time.monotonic() - began < 0.5 + 0.1 * SLOW


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
    """A client that does something each half second, until the server has ended the connection."""

    def __init__(self, client, act=None):
        self.client, self.act = client, act
        self.began = self.acted = time.monotonic()
        self.lived = None  # seconds
        self.poll = select.poll()
        self.poll.register(client.sock, select.POLLRDHUP)

    def tick(self):
        if self.lived is not None:
            return
        with contextlib.suppress(OSError):  # then it is seen by the next line
            if self.act and time.monotonic() > self.acted + 0.5:
                self.acted = time.monotonic()
                self.act(self.client)
        if self.poll.poll(0):
            self.lived = time.monotonic() - self.began


def run_until_all_ended(ends, others, seconds):
    """What of `ends` lived for how long; the others are slow, too, but not to be ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(slow.lived is None for slow in ends.values()):
        for slow in (*ends.values(), *others):
            slow.tick()
        time.sleep(0.02)
    assert [slow.lived for slow in others] == [None] * len(others)
    return {name: slow.lived for name, slow in ends.items()}


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
        lived = run_until_all_ended(ends, [honest], 30 + 15 * SLOW)
        assert {name: seconds is not None and seconds > 29 for name, seconds in lived.items()} == dict.fromkeys(ends, True)
        honest.client.send("a" * 40000)
        assert honest.client.read_response().text == "ok"


# What asks the application for more holds a worker of class sync while the client reads.
PATHS = {"sync": ["piece", "file", "pieces"], "gthread": ["piece", "file", "pieces", "write"]}
PATHS["gevent"] = PATHS["gthread"]


def read_some(size):
    def act(client):
        # Nothing there is normal: bytes come by the packet.
        client.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            client.taken += len(client.sock.recv(size))

    return act


@pytest.mark.parametrize("scheme", ["http", pytest.param("https", marks=pytest.mark.slow)])
@pytest.mark.parametrize("worker_class", CLASSES)
def test_waiting_for_a_reader_ends_however_it_dribbles(start, worker_class, scheme):
    tls = certs.authority().client_context() if scheme == "https" else None
    server = start(worker_class, *(["--threads", "16"] if worker_class == "gthread" else []), *(certs.tls_args() if tls else []))
    with contextlib.ExitStack() as stack:

        def begin(path, act=None):
            client = stack.enter_context(server.raw(receive_buffer=4096, tls=tls))
            client.taken = 0
            client.send_request(target="/" + path)
            client.sock.recv(1)
            return Slow(client, act)

        ends, honest = {}, {}
        for path in PATHS[worker_class]:
            ends["silent", path] = begin(path)
            ends["100 bytes a second", path] = begin(path, read_some(50))
            honest[path] = begin(path, read_some(500))
        lived = run_until_all_ended(ends, honest.values(), 2 * 60 + 15 * SLOW)
        assert {name: seconds is not None and seconds > 59 for name, seconds in lived.items()} == dict.fromkeys(ends, True)
        assert min(slow.client.taken for slow in honest.values()) > 30000


@pytest.mark.parametrize("worker_class", CLASSES)
def test_silent_and_idle_clients_are_closed(start, worker_class):
    server = start(worker_class, "--keep-alive", "1")
    with server.raw() as fresh, server.raw() as idle:
        assert idle.request().text == "ok"
        idle.expect_close(timeout=5 * SLOW)
        fresh.expect_close(timeout=6 + 5 * SLOW)


@pytest.mark.parametrize("worker_class", CLASSES)
def test_who_never_stops_sending_is_late_all_the_same(start, worker_class):
    """After the last answer two seconds are left to read it; some byte is always there when they are over."""
    server = start(worker_class)
    with server.raw() as client:
        client.send("nonsense\r\n\r\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + 2 + 4 * SLOW:
                client.send("a")
        assert time.monotonic() > began + 1


@pytest.mark.parametrize("worker_class", CLASSES)
def test_the_rest_of_a_body_is_waited_for_once(start, worker_class):
    """The application has left it: five seconds in all, however it dribbles; who sends it within them may go on."""
    server = start(worker_class)
    head = "POST /part HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    with server.raw() as dribbling, server.raw() as quick_one:
        for client in (dribbling, quick_one):
            client.send(head + "a" * 70000)
            assert client.read_response().text == "ok"
        quick_one.send("a" * 30000)
        assert quick_one.request().text == "ok"
        slow = Slow(dribbling, send_some(1))
        (lived,) = run_until_all_ended({"": slow}, [], 5 + 4 * SLOW).values()
        assert lived is not None and lived > 4


@pytest.mark.parametrize("worker_class", CLASSES)
def test_a_handshake_is_waited_for_once(start, worker_class):
    server = start(worker_class, *certs.tls_args())
    hello = certs.client_hello()
    with server.raw() as silent, server.raw() as dribbling:
        for client in (silent, dribbling):
            client.send(hello[:50])
        rest = iter(hello[50:])
        ends = {"silent": Slow(silent), "dribbling": Slow(dribbling, lambda client: client.send(bytes([next(rest)])))}
        lived = run_until_all_ended(ends, [], 15 + 5 * SLOW)
        assert {name: seconds is not None and seconds > 14 for name, seconds in lived.items()} == dict.fromkeys(ends, True)


@quick
def test_a_request_in_time_is_served_by_a_worker_that_was_busy(start):
    server = start("gthread", "--threads", "1", "--keep-alive", "1")
    with server.raw() as kept, server.raw() as busy:
        assert kept.request().text == "ok"
        busy.send_request(target="/sleep")
        wait_until((server.folder / "asleep").exists)
        kept.send_request()
        assert kept.read_response().text == "ok"
