# SPDX-License-Identifier: MIT
"""--warmup-path: requests that the application answers before the first client comes."""

import socket

import pytest
from classes import CLASSES, class_arguments

pytestmark = pytest.mark.quick

APP = """
import json, os
seen = []
closed = []

class Endless:
    def __iter__(self):
        return self
    def __next__(self):
        return b"x" * 65536
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
        if environ["PATH_INFO"] == "/silent":
            return []
    body = json.dumps([os.getpid(), seen, closed]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def environment(request, name):
    return {"VIRTUAL_ENV": request.getfixturevalue("packages")} if name == "gevent" else {}


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
    server.start("warm:app", args=["--preload", *(word for path in paths for word in ("--warmup-path", path))])
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
