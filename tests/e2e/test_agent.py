# SPDX-License-Identifier: MIT
"""What a worker's agent sees and does: sockets, private size, trims, collections, requests that are ended."""

import contextlib
import socket
import threading

import pytest
from classes import CLASSES, class_arguments
from memcgroup import memory_cgroup  # noqa: F401
from rawclient import SLOW, wait_until

MB = 1 << 20


def only(status):
    (row,) = [row for row in status["workers"] if row["state"] == "serving"]
    return row


def remedy_of(status, name):
    row = only(status)["last_remedy"]
    return row if row is not None and row["name"] == name and not row["is_pending"] else None


class Pusher:
    """An upstream server that pushes as much as it is allowed to into every connection."""

    def __init__(self, after_head=True):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        self.ended = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.push, args=(connection,), daemon=True).start()

    def push(self, connection):
        try:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)
        except OSError as error:
            self.ended.append(error)

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def pusher():
    one = Pusher()
    yield one
    one.close()


@pytest.fixture
def start(server, request):
    """start(kind, app, args): class gevent has its packages from the virtual environment."""

    def run(kind, app, args):
        env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if kind == "gevent" else None
        return server.start(app, workers=1, args=[*class_arguments(kind), *args], env=env)

    return run


def test_private_size_is_measured(server):
    server.start("eater:app", workers=1, args=["--preload"])
    status = server.wait_status(lambda status: only(status)["memory"]["uss_bytes"], timeout=20)
    memory = only(status)["memory"]
    assert 0 < memory["uss_bytes"] <= memory["pss_bytes"] <= memory["rss_bytes"] * 1.1
    assert status["memory"]["workers_pss_bytes"] >= memory["pss_bytes"]


def test_unread_upstream_data_is_seen_and_left_while_it_may_still_be_read(server, pusher):
    server.write(
        "forgetful.py",
        """
        import socket, urllib.parse
        KEPT = []

        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            if environ["PATH_INFO"] == "/open":
                KEPT.append(socket.create_connection(("127.0.0.1", int(environ["QUERY_STRING"]))))
                KEPT[-1].sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
            return [b"ok"]
        """,
    )
    server.start("forgetful:app", workers=1, args=["--max-socket-memory", "100K", "--memory-remedies", "clamp,defuse"])
    assert server.get(f"/open?{pusher.port}").code == 200
    status = server.wait_status(lambda status: (only(status)["sockets"] or {}).get("upstream_bytes", 0) > 100_000, timeout=20)
    sockets = only(status)["sockets"]
    assert sockets["top"][0]["peer"] == f"127.0.0.1:{pusher.port}" and sockets["top"][0]["is_client"] is False
    assert sockets["top"][0]["unread_bytes"] > 64 * 1024
    server.wait_status(lambda status: only(status)["sockets"]["level"] in ("soft", "hard"))
    assert status["memory"]["sockets"]["method"] == "agents"
    server.wait_status(lambda status: (only(status)["sockets"]["top"] or [{}])[0].get("unread_seconds", 0) > 1)
    assert only(server.status())["sockets_defused_total"] == 0, "it may still be read"


def test_the_largest_slow_clients_are_closed_above_the_hard_budget(server):
    server.write(
        "stream.py",
        """
        def app(environ, start_response):
            if environ["PATH_INFO"] == "/":
                start_response("200 OK", [("Content-Length", "2")])
                return [b"ok"]
            start_response("200 OK", [("Content-Type", "application/octet-stream")])
            return (b"x" * 65536 for _ in range(100000))
        """,
    )
    server.start("stream:app", workers=1, args=["--max-socket-memory", "2M", "--client-send-low-watermark", "1M"])
    slow = [server.raw() for _ in range(6)]
    for client in slow:
        client.send_request("GET", "/stream")
    status = server.wait_status(lambda status: only(status)["sockets_shed_total"] > 0, timeout=30)
    server.wait_log(r"\[WARNING\] Memory: shed worker")
    server.wait_status(lambda status: status["memory"]["socket" + "s"]["bytes"] < 4 * MB, timeout=20)
    assert server.get("/").code == 200
    assert status["exits"] == []
    for client in slow:
        client.close()


@pytest.mark.parametrize("kind", CLASSES)
def test_the_request_that_grows_is_ended_and_the_other_one_is_answered(server, start, kind):
    start(kind, "eater:app", ["--max-request-memory", "60M", "--memory-remedies", "abort"])
    (pid,) = server.workers()
    with server.raw() as innocent, server.raw() as guilty:
        if kind != "sync":
            innocent.send_request("GET", "/sleep?s=2")
        guilty.send_request("GET", "/eat?mb=2000&rate=200")
        assert guilty.read_response().code == 500
        if kind != "sync":
            assert innocent.read_response().code == 200
    assert server.get("/").text == str(pid)
    status = server.wait_status(lambda status: remedy_of(status, "abort"))
    assert only(status)["requests_aborted_total"] == 1
    server.wait_log(r"\[WARNING\] Memory: abort worker \(pid:\d+\), one request grew by more than max_request_memory")
    server.wait_log(r"Error handling request /eat")
    server.wait_log(r"RequestMemoryExceeded: the request used too much memory")
    server.wait_status(lambda status: only(status)["memory"]["rss_bytes"] < 90 * MB)


@pytest.mark.parametrize("kind", CLASSES)
def test_pure_python_that_never_waits_hears_of_it(server, start, kind):
    start(kind, "eater:app", ["--max-request-memory", "60M", "--memory-remedies", "abort"])
    (pid,) = server.workers()
    for count in range(3):
        assert server.get("/spin?mb=90&s=20", timeout=10).code == 500
        # What it had is back.
        server.wait_status(lambda status: only(status)["memory_trims_total"] == count + 1)  # noqa: B023
        server.wait_status(lambda status: only(status)["memory"]["rss_bytes"] < 60 * MB)
    assert server.get("/").text == str(pid)


def test_of_many_busy_threads_the_one_that_grows_is_ended(server):
    server.start("eater:app", workers=1, args=["--threads", "8", "--max-request-memory", "60M", "--memory-remedies", "abort"])
    with contextlib.ExitStack() as stack:
        innocents = [stack.enter_context(server.raw(timeout=30)) for _ in range(6)]
        for client in innocents:
            client.send_request("GET", "/spin?mb=0&s=3")
        server.wait_status(lambda status: only(status)["requests_active"] == 6)
        assert server.get("/eat?mb=3000&rate=150", timeout=20).code == 500
        assert [client.read_response().code for client in innocents] == [200] * 6


def test_one_that_ended_by_itself_is_not_counted(server):
    server.start("eater:app", workers=1, args=["--max-request-memory", "60M", "--memory-remedies", "abort", "--threads", "2"])
    assert server.get("/keep?mb=80").code in (200, 500)
    status = server.wait_status(lambda status: only(status)["requests_total"] == 1)
    for _ in range(5):
        assert server.get("/").code == 200
    row = only(server.wait_status(lambda status: only(status)["requests_total"] == 6))
    assert row["requests_aborted_total"] == row["responses_5xx_total"], status


@pytest.mark.parametrize("kind", CLASSES)
def test_one_that_swallows_it_is_ended_all_the_same(server, start, kind):
    start(kind, "eater:app", ["--max-request-memory", "60M", "--memory-remedies", "abort"])
    (pid,) = server.workers()
    with server.raw() as guilty:
        guilty.send_request("GET", "/stubborn?mb=4000&rate=100")
        assert guilty.read_response().code == 500
    assert server.get("/").text == str(pid)
    server.wait_log("RequestMemoryKill: the request used too much memory")


def test_trim_gives_back_what_was_freed(server):
    server.write(
        "freed.py",
        """
        KEPT = []

        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            if environ["PATH_INFO"] == "/fill":
                values = [bytes(1500) for _ in range(80000)]
                KEPT.append(values.pop())
            return [b"ok"]
        """,
    )
    server.start("freed:app", workers=1, args=["--max-worker-memory", "60M", "--max-worker-memory-hard", "off"])
    assert server.get("/fill").code == 200
    status = server.wait_status(lambda status: remedy_of(status, "trim"), timeout=20)
    assert remedy_of(status, "trim")["amount"] > 50 * MB
    status = server.wait_status(lambda status: only(status)["memory"]["rss_bytes"] < 60 * MB)
    assert status["recycles"] == [] and only(status)["memory_trimmed_bytes_total"] > 50 * MB


@pytest.mark.parametrize("kind", CLASSES)
def test_collect_frees_cycles(server, start, kind):
    server.write(
        "cycles.py",
        """
        import gc
        gc.disable()

        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            if environ["PATH_INFO"] == "/fill":
                for _ in range(80):
                    loop = [bytearray(1 << 20)]
                    loop.append(loop)
            return [b"ok"]
        """,
    )
    start(kind, "cycles:app", ["--max-worker-memory", "70M", "--max-worker-memory-hard", "off"])
    assert server.get("/fill").code == 200
    status = server.wait_status(lambda status: remedy_of(status, "collect"), timeout=30)
    assert remedy_of(status, "collect")["amount"] > 60 * MB
    assert status["recycles"] == [] and only(status)["memory_collections_total"] == 1


def test_a_runaway_in_a_container_is_ended_and_the_container_lives(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(256 * MB)
    server.start("eater:app", workers=2, preexec_fn=cgroup.enter)
    for _ in range(3):
        assert server.get("/eat?mb=1000&rate=300").code == 500
    assert cgroup.oom_kills == 0
    status = server.wait_status(lambda status: status["totals"]["requests_aborted_total"] == 3)
    assert status["exits"] == [], "no worker had to go"


def test_a_runaway_inside_one_call_into_c_gets_its_memory_error_from_malloc(memory_cgroup, server):  # noqa: F811
    server.write(
        "native.py",
        """
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            if environ["PATH_INFO"] == "/native":
                list(map(str, range(60_000_000)))
            return [b"ok"]
        """,
    )
    cgroup = memory_cgroup(256 * MB)
    server.start("native:app", workers=2, preexec_fn=cgroup.enter)
    before = server.workers()
    for _ in range(3):
        assert server.get("/native").code == 500
    assert cgroup.oom_kills == 0
    status = server.wait_status(lambda status: status["totals"]["requests_aborted_total"] == 3)
    assert status["exits"] == [] or all(row["reason"] == "memory" and row["exit_code"] == 0 for row in status["exits"])
    assert server.get("/").code == 200 and before
    # Afterwards it may use memory again.
    assert server.get("/native").code == 500


def test_workers_are_offered_to_the_kernels_killer_before_the_master(server):
    server.start("eater:app", workers=1)
    (pid,) = server.workers()

    def score(process):
        with open(f"/proc/{process}/oom_score_adj") as file:
            return int(file.read())

    assert score(pid) == min(score(server.pid) + 500, 1000)


def test_requests_and_urllib3_go_on_after_a_forgotten_connection_was_emptied(server, packages, pusher):
    """requests.Session keeps the connection of a HEAD that a server answered with an endless body."""
    server.write(
        "pooled.py",
        """
        import requests
        SESSION = requests.Session()

        def app(environ, start_response):
            port = environ["QUERY_STRING"]
            code = SESSION.head(f"http://127.0.0.1:{port}/", timeout=3).status_code
            start_response("200 OK", [("Content-Length", "3")])
            return [str(code).encode()]
        """,
    )
    server.start(
        "pooled:app",
        workers=1,
        env={"VIRTUAL_ENV": packages},
        args=["--max-socket-memory", "48K", "--memory-remedies", "clamp,shed"],
    )
    assert server.get(f"/?{pusher.port}").text == "200"
    # What is forgotten is above the hard budget: the largest upstream connection is closed.
    server.wait_status(lambda status: only(status)["sockets_shed_total"] >= 1, timeout=30)
    wait_until(lambda: pusher.ended, 10 * SLOW)
    assert server.get(f"/?{pusher.port}").text == "200"
