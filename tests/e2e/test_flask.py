# SPDX-License-Identifier: MIT
"""The Flask application of examples/flask, as a user would run it."""

import hashlib
import os
import pathlib

import pytest
from load import Load
from server import HERE

pytestmark = pytest.mark.quick
EXAMPLE = pathlib.Path(os.environ.get("GUNWALE_SOURCE", HERE.parent.parent)) / "examples" / "flask"


@pytest.fixture
def flask(server, embedded_has, embedded_python):
    if not embedded_has("flask"):
        pytest.skip(f"{embedded_python} has no Flask (Debian: python3-flask)")
    server.start("app:app", workers=2, args=["--chdir", EXAMPLE])
    return server


def test_pages(flask):
    assert "Hello" in flask.get("/").text
    assert flask.get("/json").json()["workers_pid"] in flask.workers()
    assert flask.get("/nowhere").code == 404
    with flask.raw() as client:
        assert client.request("HEAD", "/").code == 200
        assert client.request("GET", "/json").code == 200


def test_stream(flask):
    response = flask.get("/stream?lines=50")
    assert response.header("Transfer-Encoding") == "chunked"
    assert response.text.count("\n") == 50


def test_upload(flask):
    data = os.urandom(3 * 1024 * 1024)
    boundary = "frontier"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    response = flask.request("POST", "/upload", headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}, body=body)
    assert response.json() == {"name": "x.bin", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_error_page_and_log(flask):
    assert flask.get("/error").code == 500
    flask.wait_log("ZeroDivisionError")


def test_under_load_with_reload(flask):
    generation = flask.status()["server"]["generation"]
    with Load(flask.address, clients=4, target="/json") as load:
        flask.signal("HUP")
        flask.wait_status(lambda status: status["server"]["generation"] > generation)
        flask.wait_workers(2)
        load.stop()
    load.check(at_least=20)
