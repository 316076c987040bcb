# SPDX-License-Identifier: MIT
"""What the event loop promises between requests: context, trust, fairness, the last moments of a connection."""

import contextlib
import time

import pytest
from classes import CLASSES, class_arguments
from rawclient import Closed, wait_until
from server import SLOW

PROXY = {"X-Forwarded-Proto": "https"}


def write_app(server):
    server.write(
        "own.py",
        """
        import contextvars, gzip, io, time

        owner = contextvars.ContextVar("owner", default="nobody")

        def app(environ, start_response):
            path = environ["PATH_INFO"]
            if path == "/context":
                found = owner.get()
                owner.set(environ["QUERY_STRING"])
                start_response("200 OK", [])
                return stream(found, environ["QUERY_STRING"])
            if path == "/gzip":
                packed = io.BytesIO(gzip.compress(b"plain text"))
                with open("packed.gz", "wb") as file:
                    file.write(packed.getvalue())
                start_response("200 OK", [])
                return environ["wsgi.file_wrapper"](gzip.open("packed.gz"))
            if path == "/endless":
                start_response("200 OK", [])
                return endless()
            if path == "/bad-second":
                start_response("200 OK", [])
                return [b"fine", "not bytes"]
            if path == "/endless-length":
                start_response("200 OK", [("Content-Length", "2")])
                return endless()
            if path == "/write":
                write = start_response("200 OK", [])
                while True:
                    write(b"w" * 10000)
            if path == "/read":
                size = len(environ["wsgi.input"].read())
                start_response("200 OK", [])
                return [str(size).encode()]
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]

        def stream(found, mine):
            yield b"found " + found.encode() + b"\\n"
            for _ in range(300):
                yield b"x" * 65536 if owner.get() == mine else b"STOLEN"
            yield b"end"

        def endless():
            try:
                while True:
                    yield b"y"
            finally:
                print("endless is closed", flush=True)
        """,
    )
    return server


def test_suspended_responses_keep_their_own_context_variables(server):
    write_app(server).start("own:app", workers=1)
    clients = [server.raw(receive_buffer=4096) for _ in range(3)]
    for number, client in enumerate(clients):
        client.send_request(target=f"/context?client{number}", headers={"Connection": "close"})
        assert server.get("/").body == b"ok"
    for client in clients:
        body = client.read_response().body
        assert body.startswith(b"found nobody\n") and body.endswith(b"end") and b"STOLEN" not in body
        assert len(body) == 13 + 300 * 65536 + 3
        client.close()


def test_an_endless_stream_to_a_fast_reader_leaves_time_for_others(server):
    write_app(server).start("own:app", workers=1)
    with server.raw() as greedy:
        greedy.send_request(target="/endless")
        greedy.read_head()
        for _ in range(5):
            started = time.monotonic()
            greedy.more()
            assert server.get("/").body == b"ok"
            assert time.monotonic() - started < 5


FORKING = '''
import os, sys

def app(environ, start_response):
    how = environ["PATH_INFO"]
    if how != "/":
        child = os.fork()
        if child == 0:
            print("child is done")
            if how == "/exit":
                sys.exit(0)
            if how == "/raise":
                raise ValueError("of the child")
        else:
            os.waitpid(child, 0)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
'''


@pytest.mark.parametrize("how", ["/exit", "/raise", "/return"])
def test_a_process_that_the_application_forked_never_serves(server, how):
    """It shares the clients and the epoll set with the worker: one that leaves the application must end at once."""
    server.write("forking.py", FORKING)
    server.start("forking:app", workers=1, env={"PYTHONPATH": server.folder})
    (worker,) = server.workers()
    with server.raw() as client:
        for _ in range(3):
            assert client.request(target=how).body == b"ok"  # one answer, and it is the worker's
            assert client.request(target="/").body == b"ok"
    assert server.workers() == [worker]
    wait_until(lambda: server.out_path.read_text().count("child is done") == 3)
    assert server.log_contains("ValueError: of the child") == (how == "/raise")


@pytest.mark.parametrize("method, target", [("HEAD", "/endless"), ("GET", "/endless-length")])
def test_an_endless_iterable_ends_with_what_can_be_sent(server, method, target):
    write_app(server).start("own:app", workers=1)
    with server.raw() as client:
        for _ in range(2):  # the connection lives on
            assert client.request(method, target).body == (b"" if method == "HEAD" else b"yy")
    wait_until(lambda: server.out_path.read_text().count("endless is closed") == 2)


def test_a_client_that_leaves_during_write_is_no_error(server):
    write_app(server).start("own:app", workers=1, args=["--log-level", "debug"])
    with server.raw() as client:
        client.send_request(target="/write")
        assert client.read_head().code == 200
    server.wait_log("Ignored premature client disconnection")
    assert server.get("/").body == b"ok"
    assert not server.log_contains("Error handling request")


HINTS = '''
kept = []

def app(environ, start_response):
    hint = environ["wsgi.early_hints"]
    path = environ["PATH_INFO"]
    styles = [("Link", "</s.css>; rel=preload; as=style"), (b"Link", b" </t.js>; rel=preload")]
    caught = ""
    if path == "/two":
        hint(styles)
        hint(headers=iter([("Link", "</u.png>; rel=preload"), ("Content-Length", "9"), ("Connection", "close")]))
    if path == "/bad":
        hint(styles)
        for headers in ([("X", "a\\r\\nSet-Cookie: secret")], [("A B", "c")], [("", "c")], [("X", "\\u0142")],
                        [("X", 1)], [("X",)], None):
            try:
                hint(headers)
                caught += "sent "
            except (ValueError, TypeError) as error:
                caught += type(error).__name__ + ("!" if "secret" in str(error) else "") + " "
    if path == "/fails":
        hint(styles)
        raise RuntimeError("after a hint")
    if path == "/read":
        hint(styles)
        caught = environ["wsgi.input"].read().decode()
    if path == "/kept":
        for old in kept:
            old(styles)
            old([("Bad Name", "never looked at")])
        kept.append(hint)
    write = start_response("200 OK", [("Content-Length", str(2 + len(caught)))])
    hint([]) if path == "/bare" else None
    if path == "/late":
        write(b"o")
        hint(styles)
        hint([("Bad Name", "never looked at")])
        return [b"k"]
    return [b"ok" + caught.encode()]
'''

LINKS = [("Link", "</s.css>; rel=preload; as=style"), ("Link", "</t.js>; rel=preload")]


def read_hinted(client, target, **arguments):
    response = client.request(target=target, **arguments)
    assert all((hint.version, hint.reason) == ("HTTP/1.1", "Early Hints") for hint in response.interim if hint.code == 103)
    return response.body, [(hint.code, hint.headers) for hint in response.interim]


def start_hints(server):
    server.write("hints.py", HINTS)
    return server.start("hints:app", workers=1, args=["--status-file", "status.json", "--status-interval", "1"])


def test_early_hints_go_out_before_the_response(server):
    start_hints(server)
    with server.raw() as client:
        assert read_hinted(client, "/two") == (b"ok", [(103, LINKS), (103, [("Link", "</u.png>; rel=preload")])])
        assert read_hinted(client, "/bare") == (b"ok", [(103, [])])
        assert read_hinted(client, "/") == (b"ok", [])
        client.send(b"POST /read HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert (client.read_head().code, client.read_head().code) == (103, 100)
        client.send(b"body")
        assert client.read_response().body == b"okbody"
    wait_until(lambda: server.status()["requests"]["by_status"]["1xx"] == 5)


def test_early_hints_that_are_wrong_raise_and_send_nothing(server):
    start_hints(server)
    with server.raw() as client:
        body, hints = read_hinted(client, "/bad")
    assert body == b"okValueError ValueError ValueError ValueError TypeError ValueError TypeError "
    assert hints == [(103, LINKS)]


def test_early_hints_are_ignored_by_1_0_and_after_the_head_and_after_the_request(server):
    start_hints(server)
    with server.raw() as client:
        assert read_hinted(client, "/late") == (b"ok", [])
        assert read_hinted(client, "/kept") == read_hinted(client, "/kept") == (b"ok", [])
        assert read_hinted(client, "/two", version="HTTP/1.0") == (b"ok", [])


def test_an_exception_after_an_early_hint_is_a_500(server):
    start_hints(server)
    with server.raw() as client:
        response = client.request(target="/fails")
    assert [hint.code for hint in response.interim] == [103] and response.code == 500


def test_early_hints_to_a_client_that_does_not_read_hold_nobody(server):
    server.write(
        "flood.py",
        """
        def app(environ, start_response):
            if environ["PATH_INFO"] == "/flood":
                for _ in range(2000):
                    environ["wsgi.early_hints"]([("Link", "x" * 8000)])
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        """,
    )
    server.start("flood:app", workers=1)
    with server.raw(receive_buffer=4096) as client:
        client.send_request(target="/flood")
        assert server.get("/").body == b"ok"
        response = client.read_response()
        assert response.body == b"ok" and 0 < len(response.interim) < 2000
        assert all(hint.headers == [("Link", "x" * 8000)] for hint in response.interim)
        assert client.request(target="/").body == b"ok"


FAILS_LATER = '''
import os, time

def app(environ, start_response):
    headers = [("Content-Length", "8")] if environ["QUERY_STRING"] == "length" else []
    start_response("200 OK", headers)
    return pieces(environ["PATH_INFO"])

def pieces(path):
    yield b"half"
    if path == "/fork" and os.fork() == 0:
        while not os.path.exists("test-is-done"):
            time.sleep(0.05)
        os._exit(0)
    if path != "/whole":
        raise ValueError("after half of it")
    yield b"half"
'''


@pytest.mark.parametrize("path", ["/", "/fork"])
def test_a_1_0_answer_that_fails_never_looks_complete(server, path):
    """Its end is the end of the connection: a clean one would make half of a page a page."""
    server.write("later.py", FAILS_LATER)
    server.start("later:app", workers=1)
    try:
        with server.raw() as client:
            client.send_request(target=path, version="HTTP/1.0")
            with pytest.raises(ConnectionResetError):
                while client.sock.recv(65536):
                    pass
    finally:
        server.write("test-is-done", "")  # lets the fork go, which holds a copy of the connection
    with server.raw() as client:
        response = client.request(target="/whole", version="HTTP/1.0")
        assert response.body == b"halfhalf" and response.ended_by_close
        assert client.sock.recv(1) == b""  # not reset
    server.wait_log("ValueError: after half of it")


@pytest.mark.parametrize("worker_class", CLASSES)
def test_a_1_0_answer_that_a_quick_stop_cuts_never_looks_complete(request, server, worker_class):
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if worker_class == "gevent" else {}
    write_app(server).start("own:app", workers=1, args=class_arguments(worker_class), env=env)
    with server.raw(receive_buffer=4096) as client:
        client.send_request(target="/endless", version="HTTP/1.0")
        assert client.read_head().code == 200
        server.signal("INT")
        with pytest.raises(ConnectionResetError):
            while client.sock.recv(65536):
                pass


@pytest.mark.parametrize("burst", [0, 1_000_000], ids=["from the start", "after a burst"])
def test_a_large_body_that_dribbles_ends_after_the_timeout(server, burst):
    """Up to 64 KiB are gathered before the application is called; then it waits, and nobody else is served."""
    write_app(server).start("own:app", workers=1, args=["--timeout", "1", "--access-logfile", "-"])
    (worker,) = server.workers()
    with server.raw() as slow:
        slow.send(b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 70000)
        slow.sock.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            slow.more()
        slow.send(b"x" * burst)
        begun = time.monotonic()
        while not slow.buffer and time.monotonic() - begun < 20 * SLOW:
            slow.send(b"x")
            try:
                slow.more()
            except TimeoutError:
                pass
        assert slow.buffer, "still waited for"
        slow.sock.settimeout(10)
        assert slow.read_response().code == 408
    assert server.get("/").body == b"ok"
    assert server.workers() == [worker]
    server.wait_log("Invalid request from ip=127.0.0.1: the body does not arrive")
    assert not server.log_contains("Traceback")


def test_a_large_body_with_pauses_arrives(server):
    write_app(server).start("own:app", workers=1, args=["--timeout", "1"])
    with server.raw() as client:
        client.send(b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70000)
        client.sock.settimeout(0.3)
        for _ in range(10):
            client.send(b"x" * 3000)
            try:
                client.more()  # nothing comes: this is the pause
            except TimeoutError:
                pass
        client.sock.settimeout(10)
        assert client.read_response().body == b"100000"


def test_a_list_that_fails_later_is_a_clean_500(server):
    write_app(server).start("own:app", workers=1)
    assert server.get("/bad-second").code == 500


def test_file_wrapper_of_a_packed_file_sends_what_read_gives(server):
    write_app(server).start("own:app", workers=1)
    assert server.get("/gzip").body == b"plain text"


@pytest.mark.parametrize(
    "trusted, headers, scheme",
    [
        ("127.0.0.1", PROXY, "https"),
        ("127.0.0.0/8", PROXY, "https"),
        ("*", PROXY, "https"),
        ("10.0.0.0/8", PROXY, "http"),
        ("127.0.0.1", {"X-Forwarded-Proto": "HTTPS"}, "http"),
        ("127.0.0.1", {"X-Forwarded-Ssl": "on"}, "https"),
    ],
)
def test_scheme_headers_count_only_from_trusted_peers(server, trusted, headers, scheme):
    server.start(args=["--forwarded-allow-ips", trusted])
    assert server.get("/environ", headers=headers).json()["wsgi.url_scheme"] == scheme


def test_scheme_headers_that_disagree_are_refused(server):
    server.start()
    assert server.get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}).code == 400


def test_script_name_of_a_trusted_proxy(server):
    server.start()
    environ = server.get("/under/environ", headers={"SCRIPT_NAME": "/under"})
    assert environ.code == 200
    assert (environ.json()["SCRIPT_NAME"], environ.json()["PATH_INFO"]) == ("/under", "/environ")
    assert server.get("/other", headers={"SCRIPT_NAME": "/under"}).code == 500


def test_connections_are_spread_evenly_over_idle_workers(server):
    server.start(workers=4)
    counts = {}
    for _ in range(80):
        pid = server.get("/pid").body
        counts[pid] = counts.get(pid, 0) + 1
    assert len(counts) == 4 and min(counts.values()) >= 10


def test_more_connections_than_worker_connections_wait_their_turn(server):
    server.start(workers=1, args=["--worker-connections", "2"])
    held = [server.raw() for _ in range(2)]
    for client in held:
        assert client.request().code == 200
    with server.raw() as waiting:
        waiting.send_request()
        assert not waiting.is_closed_by_server()
        held[0].close()
        assert waiting.read_response().code == 200
    held[1].close()


def test_keepalive_0_closes_each_connection(server):
    server.start(args=["--keep-alive", "0"])
    with server.raw() as client:
        assert client.request().header("Connection") == "close"
        client.expect_close()


def test_graceful_stop_answers_a_kept_client_that_is_just_sending(server):
    """A client that sends within the last quarter of a second gets its answer, told to close; it never meets a reset."""
    server.start(workers=1, args=["--keep-alive", "30"])
    with server.raw() as client:
        response = client.request()
        server.signal("TERM")
        try:
            while response.header("Connection") != "close":
                response = client.request()
        except Closed as closed:
            pytest.fail(f"the connection was closed under the request: {closed}")
        assert response.code == 200 and response.header("Connection") == "close"
        client.expect_close()
    server.wait_exit(0)


def test_graceful_stop_finishes_heads_bodies_and_streams_that_have_begun(server):
    server.start(workers=1)
    head, body, stream = server.raw(), server.raw(), server.raw(receive_buffer=4096)
    head.send("GET / HTTP/1.1\r\nHo")
    body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na")
    stream.send_request(target="/big?mb=20")
    stream.read_head()
    server.signal("TERM")
    wait_until(lambda: not server.can_connect())
    head.send("st: x\r\n\r\n")
    assert head.read_response().header("Connection") == "close"
    body.send("bcd")
    assert body.read_response().body == b"abcd"
    assert len(stream.read_to_end()) >= 20 << 20
    for client in (head, body, stream):
        client.close()
    server.wait_exit(0)
