# SPDX-License-Identifier: MIT
"""100 Continue under each worker class: sent when the application first reads the body, and only then."""

import os

import pytest
from classes import CLASSES, class_arguments

HEAD = "POST /{} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n"
APP = """
    import os

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        body = b"unread"
        if path == "/waits":  # until the test has seen that nothing was sent
            with open("gate") as gate:
                gate.read()
        if path != "/refuses":
            body = str(len(environ["wsgi.input"].read())).encode()
        start_response("413 Too Much" if path == "/refuses" else "200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


@pytest.fixture(params=CLASSES)
def site(request, server):
    arguments = class_arguments(request.param)
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if request.param == "gevent" else {}
    server.write("reader.py", APP)
    return server.start("reader:app", args=arguments, env=env)


def test_the_first_read_asks_for_the_body(site):
    with site.raw() as client:
        for size in (4, 300_000):
            client.send(HEAD.format("reads", size))
            assert client.read_head().code == 100
            client.send(b"x" * size)
            assert client.read_response().text == str(size)
        assert client.request("POST", "/reads", body=b"abc").interim == []


def test_a_body_that_is_not_wanted_is_not_asked_for(site):
    with site.raw() as client:
        client.send(HEAD.format("refuses", 300_000))
        response = client.read_response()
        assert (response.code, response.interim, response.header("Connection")) == (413, [], "close")
        client.expect_close()


def test_nothing_is_sent_before_the_application_reads(site):
    gate = site.folder / "gate"
    os.mkfifo(gate)
    with site.raw() as client:
        client.send(HEAD.format("waits", 4))
        with open(gate, "w") as file:  # opens when the application has opened it: it runs
            assert not client.is_closed_by_server() and not client.buffer
            file.write("go")
        assert client.read_head().code == 100
        client.send(b"body")
        assert client.read_response().text == "4"
