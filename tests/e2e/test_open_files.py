# SPDX-License-Identifier: MIT
"""A worker that runs out of open files: idle connections make room, and waiting for room costs nothing."""

import contextlib
import os
import pathlib
import re
import resource
import time

import certs
import pytest
from classes import CLASSES, class_arguments
from rawclient import SLOW, wait_until

quick = pytest.mark.quick

LIMIT = 64
HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
APP = """
import fcntl, os, time

held = []

def app(environ, start_response):
    answer = b"ok"
    if environ["PATH_INFO"] == "/open":
        time.sleep(0.01)
        with open(__file__) as one, open(__file__) as two, open(__file__) as three:
            answer = b"opened"
    elif environ["PATH_INFO"] == "/hold":
        held.append([open(__file__) for _ in range(int(environ["QUERY_STRING"]))])
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
"""


@pytest.fixture
def start(server, request):
    def begin(worker_class, *args, limit=LIMIT):
        server.write("files.py", APP)
        env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if worker_class == "gevent" else {}
        arguments = [*class_arguments(worker_class), "--keep-alive", "600", *args]
        server.start(
            "files:app", workers=1, args=arguments, env=env,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        )  # fmt: skip
        return server

    return begin


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def used_while_waiting(pid, seconds):
    before, until = processor_seconds(pid), time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until)
    return processor_seconds(pid) - before


CLOSING = r"\[WARNING\] Almost out of open files \(limit \d+\): idle connections are closed for new ones"
REFUSED = r"\[ERROR\] Cannot accept a connection: Too many open files"


@quick
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("worker_class", CLASSES)
def test_without_open_files_the_oldest_idle_connections_make_room(start, worker_class, scheme):
    tls = certs.authority().client_context() if scheme == "https" else None
    server = start(worker_class, *(certs.tls_args() if tls else []))
    (pid,) = server.workers()
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(2 * LIMIT):
            began = time.monotonic()
            clients.append(stack.enter_context(server.raw(tls=tls)))
            # What the application opens finds a descriptor, too.
            assert clients[-1].request(target="/open").text == "opened"
            assert time.monotonic() - began < SLOW
        is_open = [not client.is_closed_by_server() for client in clients]
        # The younger ones, without a gap.
        assert is_open == sorted(is_open)
        assert LIMIT // 3 < sum(is_open) < LIMIT
        assert used_while_waiting(pid, 2) < 0.2
        assert clients[-1].request(target="/open").text == "opened"
    assert server.log_contains(CLOSING, times=1)
    assert not server.log_contains(REFUSED)


@quick
@pytest.mark.parametrize("worker_class", CLASSES)
def test_the_table_of_open_files_is_large_from_the_start(start, worker_class):
    """With several threads the kernel takes 5 to 25 ms to let it grow, in which the worker stands still."""
    server = start(worker_class, "--worker-connections", "1000", limit=4096)
    status = pathlib.Path(f"/proc/{server.workers()[0]}/status").read_text()
    assert int(re.search(r"^FDSize:\s+(\d+)$", status, re.M).group(1)) > 1000


@quick
@pytest.mark.parametrize("worker_class", CLASSES)
def test_without_open_files_and_idle_connections_new_clients_wait(start, worker_class):
    server = start(worker_class)
    (pid,) = server.workers()
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(server.raw()) for _ in range(2 * LIMIT)]
        for client in busy:
            client.send(HEAD)
        server.wait_log(REFUSED)
        assert used_while_waiting(pid, 3) < 0.3
        assert server.log_contains(REFUSED, times=1)
        late = stack.enter_context(server.raw())
        late.send_request()
        # Room is taken as soon as it is made.
        for client in busy:
            client.close()
        began = time.monotonic()
        assert late.read_response().text == "ok"
        assert time.monotonic() - began < SLOW
    assert server.log_contains(REFUSED, times=1)


@quick
@pytest.mark.parametrize("worker_class", CLASSES)
def test_descriptors_that_the_application_keeps_shut_nobody_out(start, worker_class):
    """All but a few are gone for good: the worker goes on with those."""
    server = start(worker_class, limit=200)
    with server.raw() as first:
        fds = len(os.listdir(f"/proc/{server.workers()[0]}/fd"))
        assert first.request(target=f"/hold?{200 - fds - 2}").text == "ok"
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                client = stack.enter_context(server.raw())
                began = time.monotonic()
                assert client.request().text == "ok"
                assert time.monotonic() - began < SLOW
