# SPDX-License-Identifier: MIT
"""What one more connection costs a worker, in its own memory (docs/limits.md tells these figures)."""

import contextlib
import pathlib
import re
import resource

import certs
import pytest
from classes import CLASSES, class_arguments
from rawclient import SLOW
from server import has_sanitizer

COUNT = 1000
HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\n"
BODY = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
MANY_FIELDS = "".join(f"X-Field-{number}: {'a' * 60}\r\n" for number in range(95))


def answered(text):
    def begin(client):
        client.send(text)
        assert client.read_response().code == 200

    return begin


def sends(data):
    return lambda client: client.send(data)


# name: (what the client does, whether over TLS, whether it speaks TLS itself, most bytes of the worker for each)
KINDS = {
    "new": (lambda client: None, False, False, 3 << 10),
    "idle": (answered(HEAD + "\r\n"), False, False, 4 << 10),
    "idle after a large head": (answered(HEAD + MANY_FIELDS + "\r\n"), False, False, 4 << 10),
    "within a head": (sends(HEAD + "X-Slow: "), False, False, 12 << 10),
    "within a body": (sends(BODY + "a" * 1000), False, False, 16 << 10),
    "idle over TLS": (answered(HEAD + "\r\n"), True, True, 28 << 10),
    "within a handshake": (lambda client: client.send(certs.client_hello()[:100]), True, False, 52 << 10),
}


def own_bytes(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_\w+: +(\d+) kB$", text, re.M)) << 10


@pytest.fixture
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 3 * COUNT:
        pytest.skip(f"no more than {before[1]} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 3 * COUNT), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("worker_class", CLASSES)
def test_a_connection_takes_no_more_than_told(server, request, many_files, worker_class, kind):
    begin, is_tls, speaks_tls, most = KINDS[kind]
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if worker_class == "gevent" else {}
    arguments = [*class_arguments(worker_class), "--keep-alive", "600", "--worker-connections", str(3 * COUNT)]
    server.start(workers=1, args=[*arguments, *(certs.tls_args() if is_tls else [])], env=env)
    if has_sanitizer(server.pid):
        pytest.skip("sanitizers need memory of their own")
    (pid,) = server.workers()
    tls = certs.authority().client_context() if speaks_tls else None

    with contextlib.ExitStack() as stack:

        def connect(count):
            for _ in range(count):
                begin(stack.enter_context(server.raw(tls=tls, timeout=15 * SLOW)))

        # The first ones use up what malloc() has left from before.
        connect(COUNT)
        before = own_bytes(pid)
        connect(COUNT)
        server.wait_status(lambda status: status["workers"][0]["connections_open"] >= 2 * COUNT)
        each = (own_bytes(pid) - before) / COUNT
        print(f"{each:.0f} bytes a connection")
        assert 0 < each < most
