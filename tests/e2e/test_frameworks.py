# SPDX-License-Identifier: MIT
"""Small applications of real frameworks, from PyPI, behind each worker class: what a user's site does all day."""

import hashlib
import json
import os
import re

import pytest
from classes import CLASSES, class_arguments
from server import HERE

SITES = HERE / "apps" / "sites"
DJANGO = ["--chdir", SITES / "django_site", "--env", "DJANGO_SETTINGS_MODULE=project.settings"]
FRAMEWORKS = {
    "flask": ("site_flask:app", ["--pythonpath", SITES]),
    "django": ("project.wsgi", DJANGO),
    "pyramid": ("site_pyramid:app", ["--pythonpath", SITES]),
    "bottle": ("site_bottle:app", ["--pythonpath", SITES]),
    "falcon": ("site_falcon:app", ["--pythonpath", SITES]),
}
HAS_NO_RANGES = {"django"}  # FileResponse never had them; whitenoise's static files do
MEGABYTE = 1 << 20
LETTERS = (SITES / "static" / "letters.txt").read_bytes()
BOUNDARY = "frontier"


@pytest.fixture(params=CLASSES)
def worker_class(request):
    class_arguments(request.param)
    return request.param


@pytest.fixture
def start(server, packages, worker_class):
    """start("flask"): that framework's site, behind this worker class."""

    def begin(framework):
        app, args = FRAMEWORKS[framework]
        arguments = [*CLASSES[worker_class], *args]
        server.start(app, workers=1, args=arguments, env={"VIRTUAL_ENV": packages})
        return server

    return begin


# the parts of one site's test


def pages(client):
    assert client.request(target="/hello").body == b"hello"
    head = client.request("HEAD", "/hello")
    assert (head.code, head.body) == (200, b"")
    assert client.request(target="/nowhere").code == 404
    moved = client.request(target="/redirect")
    assert (moved.code, re.sub("^https?://localhost", "", moved.header("Location"))) == (302, "/hello")


def forms(client):
    answer = client.request(
        "POST", "/form", headers={"Content-Type": "application/x-www-form-urlencoded"}, body=b"name=J%C3%B6rg&empty="
    )
    assert answer.json()["name"] == "J\xf6rg"
    data = os.urandom(100_000)
    answer = client.request("POST", "/parts", headers=MULTIPART, body=PART_HEAD + data + PART_END)
    assert answer.json() == {"title": "a file", "name": "x.bin", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def streams_and_large_answers(client):
    answer = client.request(target="/stream")
    assert answer.header("Transfer-Encoding") == "chunked"
    assert answer.body.count(b"\n") == len(answer.chunks) == 50
    assert len(client.request(target="/big").json()) == 40000


def sessions(client):
    headers = {}
    for visit in (b"1", b"2", b"3"):
        answer = client.request(target="/visit", headers=headers)
        assert answer.body == visit
        headers = {"Cookie": answer.header("Set-Cookie").partition(";")[0]}


def files(client, path, has_ranges):
    whole = client.request(target=path)
    assert (whole.code, whole.body, whole.header("Content-Length")) == (200, LETTERS, "1000")
    head = client.request("HEAD", path)
    assert (head.code, head.header("Content-Length")) == (200, "1000")
    tag, changed = whole.header("ETag"), whole.header("Last-Modified")
    assert tag or changed
    for name, value in (("If-None-Match", tag), ("If-Modified-Since", changed)):
        if value:
            fresh = client.request(target=path, headers={name: value})
            assert (fresh.code, fresh.body) == (304, b"")
    if has_ranges:
        part = client.request(target=path, headers={"Range": "bytes=100-149"})
        assert (part.code, part.body) == (206, LETTERS[100:150])
        assert part.header("Content-Range") == "bytes 100-149/1000"
        last = client.request(target=path, headers={"Range": "bytes=-7"})
        assert (last.code, last.body) == (206, LETTERS[-7:])
        assert client.request(target=path, headers={"Range": "bytes=2000-"}).code == 416


def websocket_is_an_ordinary_request(client, is_matched):
    """The application sees it as it is, and decides: Werkzeug finds no route of that kind, 400."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGVzdA==", "Sec-WebSocket-Version": "13"}
    answer = client.request(target="/seen", headers=headers)
    if is_matched:
        assert (answer.code, answer.json()["HTTP_UPGRADE"], answer.json()["HTTP_CONNECTION"]) == (200, "websocket", "Upgrade")
    else:
        assert (answer.code, answer.header("Connection")) == (400, "keep-alive")
    assert client.request(target="/hello").body == b"hello"


MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PART_HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\na file\r\n--{BOUNDARY}\r\n'
    'Content-Disposition: form-data; name="file"; filename="x.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
).encode()
PART_END = f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_site_works_as_its_author_thinks(start, framework, worker_class):
    server = start(framework)
    workers = server.workers()
    with server.raw() as client:  # everything on one connection: each answer must be framed right
        pages(client)
        forms(client)
        streams_and_large_answers(client)
        sessions(client)
        files(client, "/file", framework not in HAS_NO_RANGES)
        files(client, "/static/letters.txt", True)
        websocket_is_an_ordinary_request(client, framework != "flask")
        assert client.request(target="/seen").json()["wsgi.multithread"] == (worker_class != "sync")
    assert server.get("/error").code == 500
    assert server.workers() == workers


def peak_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) * 1024


def upload(server, path, size, headers=(), before=b"", after=b""):
    piece = os.urandom(MEGABYTE)
    check = hashlib.sha256()
    with server.raw(timeout=60) as client:
        total = len(before) + size + len(after)
        client.send_request("POST", path, headers={"Content-Length": str(total), **dict(headers)})
        client.send(before)
        for _ in range(size // MEGABYTE):
            client.send(piece)
            check.update(piece)
        client.send(after)
        answer = client.read_response().json()
    assert (answer["bytes"], answer["sha256"]) == (size, check.hexdigest())


@pytest.mark.parametrize("framework", ["flask"])
def test_an_upload_of_200_megabytes_takes_no_memory(start, framework):
    server = start(framework)
    (worker,) = server.workers()
    server.get("/hello")
    before = peak_bytes(worker)
    upload(server, "/count", 200 * MEGABYTE)
    assert peak_bytes(worker) - before < 4 * MEGABYTE


@pytest.mark.parametrize("framework", ["flask", "django"])
def test_a_form_with_a_file_of_200_megabytes_is_spooled(server, packages, framework):
    app, args = FRAMEWORKS[framework]
    server.start(app, workers=1, args=args, env={"VIRTUAL_ENV": packages, "TMPDIR": server.folder})
    (worker,) = server.workers()
    server.get("/hello")
    before = peak_bytes(worker)
    upload(server, "/parts", 200 * MEGABYTE, MULTIPART, PART_HEAD, PART_END)
    assert peak_bytes(worker) - before < 20 * MEGABYTE


def test_dash_serves_its_page_and_answers_callbacks(server, packages, worker_class):
    args = [*CLASSES[worker_class], "--pythonpath", SITES]
    server.start("site_dash:app", args=args, env={"VIRTUAL_ENV": packages})
    with server.raw() as client:
        page = client.request()
        assert page.code == 200
        script = re.search(r'src="(/_dash-component-suites/dash/dash-renderer/[^"]+)"', page.text).group(1)
        assert len(client.request(target=script).body) > 10_000
        assert client.request(target="/_dash-layout").json()["type"] == "Div"
        assert client.request(target="/_dash-dependencies").json()[0]["output"] == "greeting.children"
        question = {
            "output": "greeting.children",
            "outputs": {"id": "greeting", "property": "children"},
            "inputs": [{"id": "name", "property": "value", "value": "gunwale"}],
            "changedPropIds": ["name.value"],
        }
        answer = client.request(
            "POST", "/_dash-update-component", headers={"Content-Type": "application/json"}, body=json.dumps(question).encode()
        )
        assert answer.json()["response"]["greeting"]["children"] == "hello gunwale"
