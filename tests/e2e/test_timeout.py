# SPDX-License-Identifier: MIT
"""The worker timeout."""

import time

import pytest
from rawclient import Closed


@pytest.mark.quick
def test_a_stuck_request_ends_in_abort_and_a_new_worker(server):
    server.start(args=["--timeout", "1"])
    (old,) = server.workers()
    with server.raw(timeout=20) as client:
        client.send_request("GET", "/sleep?s=60")
        server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{old}\)$")
        try:
            response = client.read_response()
            assert response.code == 500
        except Closed:
            pass
    server.wait_status(lambda status: any(row["pid"] == old for row in status["exits"]))
    server.wait_status(lambda status: [row for row in status["workers"] if row["state"] == "serving" and row["pid"] != old])
    assert server.get("/").code == 200


def test_a_worker_deaf_to_abort_is_killed(server):
    server.write(
        "deaf.py",
        """
        import signal
        from basic import app as inner

        def app(environ, start_response):
            signal.signal(signal.SIGABRT, signal.SIG_IGN)
            return inner(environ, start_response)
        """,
    )
    server.start("deaf:app", args=["--timeout", "1"])
    (old,) = server.workers()
    with server.raw(timeout=20) as client:
        client.send_request("GET", "/sleep?s=60")
        server.wait_log(rf"WORKER TIMEOUT \(pid:{old}\)")
        status = server.wait_status(lambda status: any(row["pid"] == old for row in status["exits"]))
    (row,) = [row for row in status["exits"] if row["pid"] == old]
    assert row["signal"] in ("SIGKILL", 9)
    assert not server.log_contains("Perhaps out of memory"), "the kill was ours"


def test_worker_abort_hook_runs_with_the_frames_of_the_application(server):
    server.start(
        args=["--timeout", "1"],
        conf="""
        import sys, traceback

        def worker_abort(worker):
            with open("aborted", "w") as file:
                file.write("".join(traceback.format_stack(sys._getframe())))
        """,
    )
    with server.raw(timeout=20) as client:
        client.send_request("GET", "/sleep?s=60")
        server.wait_log("WORKER TIMEOUT")
        client.read_to_end()
    assert "time.sleep(" in server.read("aborted")


@pytest.mark.quick
def test_idle_workers_are_not_timed_out(server):
    server.start(args=["--timeout", "1"])
    old = server.workers()
    begun = time.monotonic()
    server.wait_status(lambda status: time.monotonic() - begun > 3.5)
    assert server.workers() == old
    assert not server.log_contains("WORKER TIMEOUT")


def test_slow_clients_are_not_timed_out(server):
    """The wait for a client is not the application's time: neither for its body nor for its reading."""
    server.start(args=["--timeout", "1"])
    old = server.workers()
    with server.raw(timeout=30) as body, server.raw(timeout=30, receive_buffer=4096) as reader:
        body.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n")
        reader.send_request("GET", "/big?mb=64&length=1")
        begun = time.monotonic()
        sent = 0

        def dribble(status):
            nonlocal sent
            if time.monotonic() - begun > sent * 0.7 and sent < 5:
                body.send(b"x")
                sent += 1
            return time.monotonic() - begun > 3.5

        server.wait_status(dribble)
        body.send(b"x" * (6 - sent))
        assert body.read_response().json()["bytes"] == 6
        assert reader.read_head().code == 200
        reader.read_exactly(64 * 1024 * 1024)
    assert server.workers() == old


def test_a_slow_import_is_not_timed_out(server):
    """As in gunicorn: the timeout begins when the worker serves."""
    server.write("slow_import.py", "import time\ntime.sleep(3)\nfrom basic import app\n")
    server.start("slow_import:app", args=["--timeout", "1"])
    assert server.get("/").code == 200
    assert not server.log_contains("WORKER TIMEOUT")


def test_timeout_0_means_never(server):
    server.start(args=["--timeout", "0"])
    (old,) = server.workers()
    assert server.get("/sleep?s=2").text == f"slept in {old}"
    assert not server.log_contains("WORKER TIMEOUT")


def test_stop_is_not_disturbed_by_the_timeout(server):
    """A request that is longer than timeout but shorter than graceful_timeout: gunicorn kills it while draining."""
    server.start(args=["--timeout", "3", "--graceful-timeout", "10"])
    with server.raw(timeout=20) as client:
        client.send_request("GET", f"/sleep?s=2&mark={server.folder}/mark")
        server.wait_status(lambda status: (server.folder / "mark").exists())
        server.signal("TERM")
        assert client.read_response().code == 200
    server.wait_exit(0)
