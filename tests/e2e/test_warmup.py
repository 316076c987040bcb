# SPDX-License-Identifier: MIT
"""--warmup-path: requests that the application answers before the first client comes."""

import re
import socket
import time

import pytest
from classes import CLASSES, class_arguments
from rawclient import wait_until

pytestmark = pytest.mark.quick

APP = """
import json, os
seen = []
closed = []

class Aimless(BaseException):
    "What gevent throws is no Exception either."

class Endless:
    def __init__(self, piece=b"x" * 65536):
        self.piece = piece
    def __iter__(self):
        return self
    def __next__(self):
        return self.piece
    def close(self):
        closed.append(os.getpid())

def app(environ, start_response):
    if environ.get("gunwale.warmup"):
        seen.append([os.getpid(), environ["RAW_URI"], environ["HTTP_HOST"], environ["wsgi.url_scheme"]])
        if environ["PATH_INFO"] == "/broken":
            raise ValueError("nobody home")
        if environ["PATH_INFO"] == "/moved":
            start_response("301 Moved Permanently", [("Location", "/")])
            return []
        if environ["PATH_INFO"] == "/endless":
            start_response("200 OK", [])
            return Endless()
        if environ["PATH_INFO"] == "/empty-pieces":
            start_response("200 OK", [])
            return Endless(b"")
        if environ["PATH_INFO"] == "/write":
            write = start_response("200 OK", [])
            while True:
                try:
                    write(b"x" * 65536)
                except Exception:
                    pass
        if environ["PATH_INFO"] == "/twice":
            start_response("200 OK", [])
            start_response("200 OK", [])
        if environ["PATH_INFO"] == "/again":
            start_response("500 Sorry", [])
            start_response("200 OK", [], (ValueError, ValueError("first"), None))
            return [b"x"]
        if environ["PATH_INFO"] == "/too-late":
            start_response("200 OK", [])(b"x")
            start_response("500 Sorry", [], (ValueError, ValueError("it was out"), None))
        if environ["PATH_INFO"] == "/exit":
            raise SystemExit(7)
        if environ["PATH_INFO"] == "/interrupt":
            raise KeyboardInterrupt
        if environ["PATH_INFO"] == "/aimless":
            raise Aimless("thrown")
        if environ["PATH_INFO"] == "/fourth" and len(seen) == 4:
            raise ValueError("the fourth")
        if environ["PATH_INFO"] == "/silent":
            return []
    body = json.dumps([os.getpid(), seen, closed]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def environment(request, name):
    return {"VIRTUAL_ENV": request.getfixturevalue("packages")} if name == "gevent" else {}


def options(*paths):
    return [word for path in paths for word in ("--warmup-path", path)]


def asked(server):
    pid, seen, _ = server.get("/").json()
    return pid, seen


@pytest.mark.parametrize("name", CLASSES)
def test_the_template_asks_before_the_fork(server, request, name):
    server.write("warm.py", APP)
    paths = ["--warmup-path", "/a?b=c%20d", "--warmup-path", "/"]
    server.start("warm:app", args=[*class_arguments(name), "--preload", *paths], env=environment(request, name))
    pid, seen = asked(server)
    assert pid in server.workers()
    assert seen == [[server.template(), target, "localhost", "http"] for target in ["/a?b=c%20d"] * 10 + ["/"] * 10]
    server.wait_log(r"\[INFO\] Warmed up with 20 requests in 0\.\d\d s$")


@pytest.mark.parametrize("name", CLASSES)
def test_without_preload_each_worker_asks_itself(server, request, name):
    server.write("warm.py", APP)
    server.start("warm:app", conf="warmup_paths = ['/']", args=class_arguments(name), env=environment(request, name))
    pid, seen = asked(server)
    assert seen == [[pid, "/", "localhost", "http"]] * 10


def test_a_url_brings_its_host_and_scheme(server):
    server.write("warm.py", APP)
    server.start("warm:app", args=["--preload", "--warmup-path", "https://shop.example:8443/x"])
    assert asked(server)[1][0][1:] == ["/x", "shop.example:8443", "https"]


def test_what_goes_wrong_is_a_warning(server):
    server.write("warm.py", APP)
    paths = ["/broken", "/moved", "/silent", "/"]
    server.start("warm:app", args=["--preload", *options(*paths)])
    server.wait_log(r"\[WARNING\] Warm-up of /broken failed:$")
    server.wait_log(r"^ValueError: nobody home$")
    server.wait_log(r"\[WARNING\] Warm-up of /moved: the answer is 301 Moved Permanently$")
    server.wait_log(r"\[WARNING\] Warm-up of /silent: the application did not call start_response\(\)$")
    assert [row[1] for row in asked(server)[1]] == paths[:3] + ["/"] * 10, "each is asked until it fails"


def test_a_body_without_an_end_is_left_and_closed(server):
    server.write("warm.py", APP)
    server.start("warm:app", args=["--preload", "--warmup-path", "/endless"])
    assert server.get("/").json()[2] == [server.template()] * 10


def test_a_connection_that_stays_open_is_named(server):
    server.write(
        "keeping.py",
        """
        import os, socket
        kept = []
        def app(environ, start_response):
            if environ.get("gunwale.warmup") and not kept:
                kept.append(socket.create_connection(("127.0.0.1", int(os.environ["PEER_PORT"]))))
            start_response("200 OK", [("Content-Length", "0")])
            return []
        """,
    )
    with socket.create_server(("127.0.0.1", 0)) as peer:
        port = peer.getsockname()[1]
        server.start("keeping:app", args=["--preload", "--warmup-path", "/"], env={"PEER_PORT": str(port)})
        server.wait_log(rf"\[WARNING\] The warm-up left 1 connection\(s\) open \(127\.0\.0\.1:{port}\), which all workers will share")
        assert server.get("/").code == 200


def test_a_reload_asks_again(server):
    server.write("warm.py", APP)
    server.start("warm:app", args=["--preload", "--warmup-path", "/"])
    old = server.template()
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] > 1 and server.template() != old)

    def is_asked_by_the_new_one(_status):
        return all(row[0] not in (old, asked(server)[0]) for row in asked(server)[1])

    server.wait_status(is_asked_by_the_new_one)


@pytest.mark.parametrize("path", ["health", "//a", "/a#b", "http://?x", "http://h:0/", "http://[::1/", "http://user@h/"])
def test_a_path_that_is_none_ends_the_start(server, path):
    result = server.run(["--warmup-path", path, "basic:app"])
    assert result.returncode == 1, result
    assert (
        "Error: warmup_paths must be a path that begins with one / or a URL (http://host:port/path, no user), "
        f"percent-encoded and without a fragment (#), got {path}\n"
    ) in result.stderr


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("preload", [["--preload"], []], ids=["template", "worker"])
def test_whatever_the_application_raises_is_a_warning(server, request, preload, name):
    server.write("warm.py", APP)
    paths = ["/exit", "/interrupt", "/aimless", "/"]
    server.start(
        "warm:app", args=[*class_arguments(name), *preload, *options(*paths)], env=environment(request, name), workers=1
    )
    for path, text in (("/exit", "SystemExit: 7"), ("/interrupt", "KeyboardInterrupt"), ("/aimless", "warm.Aimless: thrown")):
        server.wait_log(rf"\[WARNING\] Warm-up of {path} failed:$")
        server.wait_log(rf"^{text}$")
    assert [row[1] for row in asked(server)[1]] == paths[:3] + ["/"] * 10


def test_a_body_that_never_gets_anywhere_ends_with_the_time(server):
    server.write("warm.py", APP)
    begun = time.monotonic()
    server.start("warm:app", args=["--preload", *options("/empty-pieces")])
    assert 2 <= time.monotonic() - begun < 10
    server.wait_log(r"\[INFO\] Warmed up with 1 requests in 2\.\d\d s$")
    assert server.get("/").json()[2] == [server.template()], "it is closed"


def test_a_write_without_an_end_is_left(server):
    server.write("warm.py", APP)
    server.start("warm:app", args=["--preload", *options("/write")])
    server.wait_log(r"\[INFO\] Warmed up with 10 requests in ")


def test_start_response_minds_its_order(server):
    server.write("warm.py", APP)
    server.start("warm:app", args=["--preload", *options("/twice", "/too-late", "/again")])
    server.wait_log(r"\[WARNING\] Warm-up of /twice failed:$")
    server.wait_log(r"^AssertionError: Response headers already set!$")
    server.wait_log(r"\[WARNING\] Warm-up of /too-late failed:$")
    server.wait_log(r"^ValueError: it was out$")
    server.wait_log(r"\[INFO\] Warmed up with 10 requests in ")


def test_each_path_is_named_first_and_good_answers_count(server):
    server.write("warm.py", APP)
    server.start("warm:app", args=["--preload", *options("/fourth")])
    server.wait_log(r"\[INFO\] Warmed up with 3 requests in ")
    sentences = re.findall(r"\[(?:INFO|WARNING)\] (Warm[^\n]*)", server.log())
    assert sentences[:2] == ["Warming up /fourth", "Warm-up of /fourth failed:"]


SLOW_APP = """
import os, time

def app(environ, start_response):
    if environ.get("gunwale.warmup"):
        open("asked", "w").close()
        try:
            time.sleep(60)
        except BaseException:
            if environ["PATH_INFO"] == "/stubborn":
                start_response("200 OK", [])
                return []
            raise
    start_response("200 OK", [])
    return []
"""


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("path", ["/slow", "/stubborn"])
@pytest.mark.parametrize("signal", ["TERM", "QUIT"])
def test_a_signal_ends_a_worker_that_warms_up(server, request, signal, path, name):
    server.write("slow.py", SLOW_APP)
    arguments = [*class_arguments(name), *options(path, "/slow")]
    server.start("slow:app", args=arguments, env=environment(request, name), workers=1, ready=False)
    wait_until((server.folder / "asked").exists)
    begun = time.monotonic()
    server.signal(signal)
    server.wait_exit(0)
    assert time.monotonic() - begun < 10
    assert not server.log_contains(r"Warm-up of .* failed")
    assert server.log_contains(r"Warming up ", times=1)


ENVIRON_APP = """
import contextvars, io, json, os
known = contextvars.ContextVar("known", default=0)
seen = []
files = []

def describe(environ):
    known.set(known.get() + 1)
    facts = {key: environ[key] for key in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.version",
             "wsgi.input_terminated", "wsgi.url_scheme", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "SCRIPT_NAME", "PATH_INFO",
             "QUERY_STRING", "RAW_URI", "REQUEST_METHOD")}
    for key in ("wsgi.errors", "wsgi.input", "wsgi.early_hints"):
        facts[key] = str(type(environ[key]))
    facts["wrapper"] = str(environ["wsgi.file_wrapper"])
    environ["wsgi.early_hints"]([("Link", "</a>")])
    environ["wsgi.errors"].write("")
    body = environ["wsgi.input"]
    facts["body"] = str([body.read(), body.read(10), body.readline(), body.readlines(), list(body)])
    facts["known"] = known.get()
    return facts

def app(environ, start_response):
    facts = describe(environ)
    if environ.get("gunwale.warmup"):
        seen.append(facts)
        files.append(io.BytesIO(b"x"))
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](files[-1])
    start_response("200 OK", [])
    return [json.dumps([facts, seen, [file.closed for file in files]]).encode()]
"""


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("preload", [["--preload"], []], ids=["template", "worker"])
def test_the_environ_is_that_of_a_real_request(server, request, preload, name):
    server.write("environ.py", ENVIRON_APP)
    env = {**environment(request, name), "SCRIPT_NAME": "/shop"}
    arguments = [*class_arguments(name), *preload, *options("/shop/a%20b?c", "/elsewhere")]
    server.start("environ:app", args=arguments, env=env, workers=2)
    facts, seen, closed = server.get("/shop/a%20b?c").json()
    assert facts["SCRIPT_NAME"] == "/shop" and facts["PATH_INFO"] == "/a b"
    assert facts["wsgi.multithread"] is (name != "sync") and facts["wsgi.multiprocess"] is True
    assert seen == [facts] * 10, "each in a context of its own"
    assert closed == [True] * 10
    server.wait_log(r"\[WARNING\] Warm-up of /elsewhere: the path does not begin with SCRIPT_NAME \(/shop\)$")


@pytest.mark.parametrize("name", CLASSES)
def test_connections_keep_their_blocking_mode(server, request, name):
    server.write(
        "keeping.py",
        """
        import _socket, os, socket
        kept = _socket.socket()
        kept.connect(("127.0.0.1", int(os.environ["PEER_PORT"])))
        socket.setdefaulttimeout(5)
        def app(environ, start_response):
            body = b"yes" if os.get_blocking(kept.fileno()) else b"no"
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        """,
    )
    with socket.create_server(("127.0.0.1", 0)) as peer:
        env = {**environment(request, name), "PEER_PORT": str(peer.getsockname()[1])}
        server.start("keeping:app", args=[*class_arguments(name), "--preload", *options("/")], env=env)
        assert server.get("/").body == b"yes"
        assert not server.log_contains("left .* open"), "it was there before"


def test_nothing_is_wrong_without_proc(server):
    server.write(
        "blind.py",
        """
        import os
        real = os.listdir
        def listdir(path="."):
            if path == "/proc/self/fd":
                raise FileNotFoundError(path)
            return real(path)
        os.listdir = listdir
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "0")])
            return []
        """,
    )
    server.start("blind:app", args=["--preload", *options("/")])
    assert server.get("/").code == 200
    server.wait_log(r"\[INFO\] Warmed up with 10 requests in ")


def test_the_module_is_there_before_the_privileges_go(server):
    server.write(
        "early.py",
        """
        import sys
        body = str("gunwale.warmup" in sys.modules).encode()
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        """,
    )
    server.start("early:app", args=options("/"))
    assert server.get("/").body == b"True"


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "pass"])
@pytest.mark.parametrize("preload", [["--preload"], []], ids=["template", "worker"])
def test_a_copy_that_the_application_forks_ends(server, preload, end):
    server.write(
        "forking.py",
        f"""
        import os
        def app(environ, start_response):
            if environ.get("gunwale.warmup"):
                pid = os.fork()
                if pid == 0:
                    {end}
                else:
                    os.waitpid(pid, 0)
            start_response("200 OK", [("Content-Length", "0")])
            return []
        """,
    )
    server.start("forking:app", args=[*preload, *options("/", "/b")], workers=1)
    assert server.get("/").code == 200
    assert server.log_contains(r"Warmed up with 20 requests in ", times=1)
    assert server.log_contains(r"Warming up ", times=2)
