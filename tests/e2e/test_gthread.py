# SPDX-License-Identifier: MIT
"""Worker class gthread: several requests at a time in Python, in threads of one worker."""

import os
import threading

import pytest
from load import Load
from rawclient import SLOW, wait_until

pytestmark = pytest.mark.quick


@pytest.fixture
def start(server):
    def begin(threads=4, **arguments):
        args = ["-k", "gthread", "--threads", str(threads), *arguments.pop("args", ())]
        return server.start("parallel:app", args=args, **arguments)

    return begin


def in_parallel(count, function):
    """Results of function(), called on so many threads at once."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(function())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_requests_run_side_by_side(start):
    server = start(threads=4)
    answers = in_parallel(4, lambda: server.get("/together", timeout=30))
    assert [one.code for one in answers] == [200] * 4
    assert len({one.text for one in answers}) == 4


def test_sync_with_threads_is_gthread(server):
    server.start("parallel:app", args=["--threads", "2"])
    assert server.log_contains(r"\[INFO\] Using worker: gthread$", times=1)
    assert server.get("/environ").json()["wsgi.multithread"] is True
    assert not server.log_contains("WARNING")


@pytest.mark.parametrize("name", ["gthread", "egg:gunicorn#gthread", "gunicorn.workers.gthread.ThreadWorker"])
def test_names_of_the_class(server, name):
    server.start("parallel:app", args=["-k", name])
    assert server.log_contains(rf"\[INFO\] Using worker: {name}$", times=1)
    assert server.get("/thread").text == "ThreadPoolExecutor-0_0 False"


def test_the_application_never_runs_on_the_main_thread(start):
    server = start(threads=3)
    with server.raw() as client:
        names = {client.request("GET", "/thread").text for _ in range(50)}
    assert all(name.startswith("ThreadPoolExecutor-0_") and name.endswith(" False") for name in names)


def test_a_waiting_request_holds_nobody_up(start, server):
    start(threads=2)
    with server.raw(timeout=60) as waiting:
        waiting.send(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: os.path.exists(server.folder / "waiting"))
        with server.raw() as other:
            for _ in range(20):
                assert other.request("GET", "/").text == "hello"
        assert server.get("/open").text == "open"
        assert waiting.read_response().text == "went on"


def test_more_connections_than_threads(start):
    server = start(threads=2)
    with Load(server.address, clients=24, target="/") as load:
        wait_until(lambda: load.count > 2000, 60 * SLOW)
        load.stop()
    load.check()
    assert load.answers == {"hello": load.count}


def test_pipelined_requests_are_answered_in_order(start):
    server = start(threads=4)
    with server.raw() as client:
        client.send("".join(f"GET /echo?n={n} HTTP/1.1\r\nHost: h\r\n\r\n" for n in range(40)))
        assert [client.read_response().code for _ in range(40)] == [200] * 40


def test_a_stream_stays_with_its_thread(start):
    """Its reader is slow, so that it is interrupted many times while other threads are free."""
    server = start(threads=4)
    with server.raw(receive_buffer=4096) as slow:
        slow.send(b"GET /stream?pieces=60 HTTP/1.1\r\nHost: h\r\n\r\n")
        with Load(server.address, clients=4, target="/") as load:
            wait_until(lambda: load.count > 200, 60 * SLOW)
            body = slow.read_response().body
            load.stop()
        load.check()
    assert len(body) == 60 * 65536
    assert len(set(body.split())) == 1


def test_a_slow_reader_of_a_whole_answer_holds_no_thread(start):
    server = start(threads=1)
    with server.raw(receive_buffer=4096) as slow:
        slow.send(b"GET /big?size=30000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.wait_status(lambda status: status["workers"][0]["requests_total"] == 1)
        for _ in range(10):
            assert server.get("/").text == "hello"
        assert len(slow.read_response().body) == 30000000


def test_a_reader_who_goes_away_frees_the_thread(start):
    server = start(threads=1)
    with server.raw(receive_buffer=4096) as client:
        client.send(b"GET /stream?pieces=100000 HTTP/1.1\r\nHost: h\r\n\r\n")
        client.sock.recv(1000)
    assert server.get("/").text == "hello"


def test_an_exception_is_one_requests_own(start):
    server = start(threads=2)
    assert server.get("/raise").code == 500
    assert server.get("/").text == "hello"
    assert server.log_contains(r"\[ERROR\] Error handling request /raise")


def test_term_lets_requests_finish(start, server):
    start(threads=2)
    with server.raw(timeout=60) as waiting, server.raw() as idle:
        assert idle.request("GET", "/").code == 200
        waiting.send(b"GET /sleep?seconds=3 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 1)
        server.signal("TERM")
        assert waiting.read_response().code == 200
        server.wait_exit(0)


@pytest.mark.parametrize("name", ["QUIT", "INT"])
def test_a_quick_stop_waits_for_nobody(start, server, name):
    start(threads=2)
    with server.raw(timeout=60) as waiting:
        waiting.send(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: os.path.exists(server.folder / "waiting"))
        server.signal(name)
        server.wait_exit(0, timeout=8)


def test_long_requests_are_no_reason_to_be_killed(start, server):
    start(threads=2, args=["--timeout", "1"])
    (worker,) = server.workers()
    assert server.get("/sleep?seconds=3", timeout=30).code == 200
    assert server.workers() == [worker]


def test_a_worker_whose_lock_is_held_is_killed(server):
    server.write(
        "holding.py",
        """
        import ctypes
        def app(environ, start_response):
            if environ["PATH_INFO"] == "/hold":
                ctypes.PyDLL(None).sleep(60)
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        """,
    )
    server.start("holding:app", args=["--threads", "4", "--timeout", "1"])
    (worker,) = server.workers()
    with server.raw() as client:
        client.send(b"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
        server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\)")
        # Nobody is let in by threads that cannot serve.
        assert server.get("/", timeout=30).text == "ok"


@pytest.mark.parametrize("keep_alive", [True, False])
def test_recycling_and_reloads_lose_nothing(start, server, keep_alive):
    start(threads=3, workers=2, args=["--max-requests", "60", "--max-requests-jitter", "20"])
    with Load(server.address, clients=8, keep_alive=keep_alive) as load:
        for goal in (400, 800, 1200):
            wait_until(lambda goal=goal: load.count > goal, 60 * SLOW)
            server.signal("HUP")
        wait_until(lambda: load.count > 2000 and len(load.answers) > 5, 60 * SLOW)
        load.stop()
    load.check()


def test_uploads_that_stall_hold_their_thread_only(start):
    server = start(threads=2)
    with server.raw() as slow:
        slow.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200000)
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 1)
        assert server.get("/").text == "hello"
        slow.send(b"x" * 100000)
        assert slow.read_response().code == 200
