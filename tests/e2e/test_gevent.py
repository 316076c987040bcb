# SPDX-License-Identifier: MIT
"""Worker class gevent: every request in a greenlet, with the real package and its monkey patching."""

import http.server
import os
import random
import threading
import time

import pytest
from classes import class_arguments
from load import Load
from rawclient import wait_until
from server import SLOW, rss_bytes

quick = pytest.mark.quick
CROWD = 100


@pytest.fixture(scope="session")
def package(packages):
    """Where gevent is; skips the tests where it cannot run."""
    class_arguments("gevent")
    return packages


@pytest.fixture
def start(server, package):
    def begin(app="greenlets:app", **arguments):
        args = ["-k", "gevent", *arguments.pop("args", ())]
        return server.start(app, args=args, env={"VIRTUAL_ENV": package, **arguments.pop("env", {})}, **arguments)

    return begin


def ask_on_many(server, count, target):
    """Sends a request on so many connections, and reads the answers afterwards."""
    clients = [server.raw(timeout=60) for _ in range(count)]
    for client in clients:
        client.send_request("GET", target)
    answers = [client.read_response() for client in clients]
    for client in clients:
        client.close()
    return answers


@pytest.fixture
def slow_remote():
    """A server that answers nobody before ten have asked."""
    everybody = threading.Barrier(10)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            everybody.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"remote")

        def log_message(self, *unused):
            pass

    remote = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=remote.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{remote.server_address[1]}/"
    remote.shutdown()
    remote.server_close()
    thread.join()


@quick
@pytest.mark.parametrize("how", ["gevent", "time", "barrier"])
def test_requests_wait_side_by_side(start, how):
    server = start()
    answers = ask_on_many(server, CROWD, f"/crowd?how={how}")
    assert [one.text for one in answers] == ["together"] * CROWD
    assert server.get("/environ").json()["wsgi.multithread"] is True
    assert not server.log_contains("WARNING")


@pytest.mark.parametrize(
    "name", ["gevent_wsgi", "egg:gunicorn#gevent_pywsgi", "gunicorn.workers.ggevent.GeventWorker"]
)
def test_names_of_the_class(server, package, name):
    server.start("greenlets:app", args=["-k", name, "--threads", "4"], env={"VIRTUAL_ENV": package})
    assert server.log_contains(rf"\[INFO\] Using worker: {name}$", times=1)
    assert server.get("/timeout").text == "timed out"


def test_without_gevent_the_start_ends_with_a_sentence(server):
    server.write("gevent.py", "raise ImportError('not here')")
    done = server.run(["-k", "gevent", "-b", "127.0.0.1:0", "basic:app"])
    assert done.returncode == 1
    assert "Error: gevent worker requires gevent 24.10.1 or higher (not here)" in done.stderr


def test_a_gevent_that_is_too_old(server):
    for name in ("monkey", "hub"):
        server.write(f"gevent/{name}.py", "Waiter = None")
    server.write("gevent/__init__.py", "__version__ = '22.10.2'\nGreenlet = object")
    done = server.run(["-k", "gevent", "-b", "127.0.0.1:0", "basic:app"])
    assert done.returncode == 1
    assert "Error: gevent worker requires gevent 24.10.1 or higher, this is 22.10.2" in done.stderr


@quick
def test_a_library_that_blocks_holds_nobody_up(start, slow_remote):
    """requests, to a server that answers when ten requests have come to it."""
    server = start()
    answers = ask_on_many(server, 10, f"/remote?url={slow_remote}")
    assert [one.text for one in answers] == ["remote"] * 10


@quick
def test_nothing_tied_to_a_greenlet_outlives_its_request(start):
    server = start()
    with server.raw() as client:
        assert {client.request("GET", "/locals").text for _ in range(20)} == {"unset unset unset"}
    assert {one.text for one in ask_on_many(server, 20, "/locals")} == {"unset unset unset"}


@quick
def test_greenlets_are_used_again(start):
    server = start()
    with server.raw() as client:
        assert {client.request("GET", "/reuse").text for _ in range(50)} == {"0"}


def test_a_timeout_that_is_left_behind_hits_no_other_request(start):
    server = start()
    with server.raw() as client:
        assert client.request("GET", "/leave-a-timeout").text == "left"
        assert client.request("GET", "/sleep?s=0.6").code == 200
    assert not server.log_contains("Timeout")


@quick
def test_timers_fire_while_idle_and_under_load(start):
    server = start()
    server.get("/mark-later")
    wait_until(lambda: os.path.exists(server.folder / "later"))
    with Load(server.address, clients=4, target="/") as load:
        server.get("/timers")
        wait_until(lambda: server.get("/fired").text == "1 1")
        load.stop()
    load.check()


@quick
def test_exceptions_of_greenlets(start):
    server = start()
    assert server.get("/timeout").text == "timed out"
    assert server.get("/exit-greenlet").code == 500
    assert server.get("/raise").code == 500
    assert server.get("/").text == "hello"


@quick
def test_children_threads_and_the_resolver(start):
    assert start().get("/children", timeout=30).text == "True 127.0.0.1 child"


@quick
@pytest.mark.parametrize("returns", ["", "1"])
def test_a_fork_does_not_answer_for_others(start, returns):
    """All greenlets are in the child as well; only the one that forked goes on there."""
    server = start()
    waiting = [server.raw(timeout=60) for _ in range(5)]
    for client in waiting:
        client.send_request("GET", "/await-fork")
    with server.raw() as upload:
        upload.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + b"x" * 100000)
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 6)
        forked = server.get(f"/fork?returns={returns}", timeout=30)
        upload.send(b"x" * 200000)
        assert upload.read_response().json()["bytes"] == 300000
    assert forked.text == ("0" if returns else "3")
    assert os.path.exists(server.folder / "child-went-on")
    for client in waiting:
        assert client.read_response().text == "forked"
        assert not client.buffer
        client.close()
    assert server.get("/").text == "hello"


@quick
def test_pipelined_requests_are_answered_in_order(start):
    server = start()
    with server.raw() as client:
        client.send("".join(f"GET /sleep?s=0.00{n % 10} HTTP/1.1\r\nHost: h\r\n\r\n" for n in range(40)))
        assert [client.read_response().code for _ in range(40)] == [200] * 40


@quick
def test_events_to_many_clients(start):
    server = start()
    answers = ask_on_many(server, 200, "/events?n=10")
    whole = b"".join(b"data: %d\n\n" % number for number in range(10))
    assert all(one.body == whole for one in answers)


@quick
def test_slow_readers_and_slow_senders_hold_nobody_up(start):
    server = start()
    with server.raw(receive_buffer=4096) as reader, server.raw() as sender:
        reader.send_request("GET", "/stream?pieces=60")
        sender.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + b"x" * 100000)
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 2)
        with Load(server.address, clients=4, target="/") as load:
            wait_until(lambda: load.count > 200, 60 * SLOW)
            sender.send(b"x" * 200000)
            assert sender.read_response().json()["bytes"] == 300000
            body = reader.read_response().body
            load.stop()
        load.check()
    assert len(body) == 60 * 65536
    assert len(set(body.split())) == 1  # one greenlet made all of it


@quick
def test_a_reader_who_goes_away_ends_the_stream(start):
    server = start()
    with server.raw(receive_buffer=4096) as client:
        client.send_request("GET", "/stream?pieces=100000")
        client.sock.recv(1000)
    server.wait_status(lambda status: status["workers"][0]["requests_active"] == 0)
    assert server.get("/").text == "hello"


def test_worker_connections_is_a_bound(start):
    server = start(args=["--worker-connections", "3"])
    waiting = [server.raw(timeout=60) for _ in range(3)]
    for client in waiting:
        client.send_request("GET", "/wait-here")
        assert client.read_response().code == 404
    server.wait_status(lambda status: status["workers"][0]["connections_open"] == 3)
    with server.raw(timeout=60) as late:
        late.send_request("GET", "/")
        assert server.status()["workers"][0]["connections_open"] == 3
        waiting.pop().close()
        assert late.read_response().code == 200
    for client in waiting:
        client.close()


WATCHED = """
from gunwale import geventloop

lost = []
serve = geventloop.Crew.serve

def watched(self):
    serve(self)
    if not self.timer.active:
        lost.append(1)

geventloop.Crew.serve = watched

def app(environ, start_response):
    body = str(len(lost)).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@quick
def test_no_deadline_is_lost(server, start):
    """The hub's clock is a little behind ours: its timers may fire a moment before the deadlines they were set for."""
    server.write("watched.py", WATCHED)
    start("watched:app", workers=1, args=["--keep-alive", "1"])
    clients = []
    until = time.monotonic() + 8
    while time.monotonic() < until:
        client = server.raw(timeout=20)
        clients.append(client)
        assert client.request("GET", "/").code == 200
        time.sleep(random.random() / 100)
        if len(clients) > 400:
            clients.pop(0).close()
    for client in clients:
        client.close()
    assert server.get("/").text == "0"


@quick
def test_term_lets_requests_finish_and_leaves_the_background(start):
    server = start()
    server.get("/background")
    with server.raw(timeout=60) as waiting, server.raw() as idle:
        assert idle.request("GET", "/").code == 200
        waiting.send_request("GET", "/sleep?s=3")
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 1)
        server.signal("TERM")
        assert waiting.read_response().code == 200
        server.wait_exit(0)


@quick
@pytest.mark.parametrize("name", ["QUIT", "INT"])
def test_a_quick_stop_waits_for_nobody(start, server, name):
    conf = """
        import time
        def worker_int(worker):
            time.sleep(0.05)  # gevent's, which may not be called in the hub
            open("interrupted", "w").close()
        def worker_exit(server, worker):
            time.sleep(0.05)
            open("exited", "w").close()
    """
    start(conf=conf)
    with server.raw(timeout=60) as waiting:
        waiting.send_request("GET", "/wait")
        wait_until(lambda: os.path.exists(server.folder / "waiting"))
        server.signal(name)
        server.wait_exit(0, timeout=8)
    assert os.path.exists(server.folder / "interrupted")
    assert os.path.exists(server.folder / "exited")


@quick
def test_a_request_that_never_waits_is_killed(start):
    server = start(args=["--timeout", "2"])
    (worker,) = server.workers()
    assert server.get("/sleep?s=3", timeout=30).code == 200
    assert server.workers() == [worker]
    with server.raw() as client:
        client.send_request("GET", "/spin")
        wait_until(lambda: os.path.exists(server.folder / "spinning"))
        server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\)")
        wait_until(lambda: server.workers() not in ([], [worker]))
        assert server.get("/", timeout=30).text == "hello"


@quick
@pytest.mark.parametrize("keep_alive", [True, False])
def test_recycling_and_reloads_lose_nothing(start, keep_alive):
    server = start(workers=2, args=["--max-requests", "60", "--max-requests-jitter", "20"])
    with Load(server.address, clients=8, keep_alive=keep_alive) as load:
        for goal in (300, 600):
            wait_until(lambda goal=goal: load.count > goal, 60 * SLOW)
            server.signal("HUP")
        wait_until(lambda: load.count > 1000 and len(load.answers) > 4, 60 * SLOW)
        load.stop()
    load.check()


@quick
def test_preload_patches_before_the_import(start):
    server = start(args=["--preload"], workers=2)
    assert [one.text for one in ask_on_many(server, 20, "/timeout")] == ["timed out"] * 20
    assert server.get("/children", timeout=30).text == "True 127.0.0.1 child"
    assert not server.log_contains("WARNING|Traceback")


@quick
def test_a_hub_that_ran_before_the_fork(start):
    """Two workers that shared its epoll set would take each other's events."""
    server = start(args=["--preload"], workers=2, env={"SPAWN_AT_IMPORT": "1"})
    pids = set()

    def both_have_answered():
        pids.update(one.text for one in ask_on_many(server, 4, "/here"))
        return len(pids) == 2

    wait_until(both_have_answered, 60 * SLOW)
    assert server.get("/children", timeout=30).text == "True 127.0.0.1 child"


def test_a_post_request_hook_may_wait_when_time_is_up(start):
    """Deadlines end requests, and that may run code of the application: not in the hub."""
    conf = """
        import time
        def post_request(worker, req, environ, resp):
            time.sleep(0.01)
            open("posted", "a").close()
    """
    server = start(conf=conf)
    with server.raw(receive_buffer=4096) as client:
        client.send_request("GET", "/big?size=30000000")
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 1)
        (worker,) = server.workers()
        client.close()
        wait_until(lambda: os.path.exists(server.folder / "posted"))
    assert not server.log_contains("ERROR")


def test_a_configuration_file_may_have_patched_already(start):
    server = start(conf="from gevent import monkey; monkey.patch_all()")
    assert server.get("/timeout").text == "timed out"
    assert not server.log_contains("WARNING|Traceback")


@quick
def test_flask(start, server):
    code = """
        import time
        from flask import Flask, Response, g, request, stream_with_context
        app = Flask(__name__)

        @app.before_request
        def begin():
            g.name = request.args.get("name")

        @app.route("/")
        def hello():
            time.sleep(0.05)
            return f"hello {g.name} {request.args['name']}"

        @app.route("/stream")
        def stream():
            def make():
                for _ in range(3):
                    time.sleep(0.01)
                    yield request.args["name"]
            return Response(stream_with_context(make()))
    """
    server.write("hello_flask.py", code)
    running = start("hello_flask:app")
    clients = [running.raw(timeout=60) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send_request("GET", f"/?name={number}")
        client.send_request("GET", f"/stream?name={number}")
    for number, client in enumerate(clients):
        assert client.read_response().text == f"hello {number} {number}"
        assert client.read_response().text == str(number) * 3
        client.close()


def test_idle_connections_are_small(start):
    server = start(args=["--keep-alive", "60"])
    (worker,) = server.workers()
    ask_on_many(server, 50, "/")
    before = rss_bytes(worker)
    clients = [server.raw() for _ in range(900)]
    for client in clients:
        assert client.request("GET", "/").code == 200
    assert (rss_bytes(worker) - before) / len(clients) < 8192
    for client in clients:
        client.close()
