# SPDX-License-Identifier: MIT
"""HTTP as clients see it: framing, connections, answers. One server for the whole file; the tests do not disturb it."""

import json
import os
import re
import statistics
import time
import zlib
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest
from rawclient import Closed, wait_until
from server import SLOW, has_sanitizer, rss_bytes

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module", params=["basic:app", "validated:app"])
def shared(request, module_servers):
    """Every test runs with the bare application and behind wsgiref.validate."""
    return module_servers().start(request.param, workers=1)


@pytest.fixture(scope="module")
def bare(module_servers):
    """For what wsgiref.validate itself would refuse."""
    return module_servers().start("basic:app", workers=1, args=["--keep-alive", "2", "--access-logfile", "access"])


# ---- the simple request


def test_hello_with_the_headers_in_gunicorns_order(shared):
    response = shared.get("/")
    assert (response.version, response.code, response.reason) == ("HTTP/1.1", 200, "OK")
    assert response.body == b"hello"
    assert [name for name, _ in response.headers] == ["Server", "Date", "Connection", "Content-Type", "Content-Length"]
    assert response.header("Server") in ("gunwale", "gunicorn")
    assert response.header("Connection") == "close"
    age = time.time() - parsedate_to_datetime(response.header("Date")).timestamp()
    assert -2 < age < 30 and response.header("Date").endswith(" GMT")


def test_unknown_path_is_the_applications_404(shared):
    assert shared.get("/nowhere").code == 404


def test_http_1_0_closes_and_echoes_no_keep_alive_unless_asked(shared):
    with shared.raw() as client:
        response = client.request(version="HTTP/1.0")
        assert response.code == 200 and response.body == b"hello"
        assert response.header("Connection") == "close"
        client.expect_close()


def test_http_1_0_with_keep_alive_stays_open(shared):
    with shared.raw() as client:
        for _ in range(3):
            response = client.request(version="HTTP/1.0", headers={"Connection": "keep-alive"})
            assert response.header("Connection") == "keep-alive"


def test_http_1_0_without_length_ends_by_close(shared):
    with shared.raw() as client:
        response = client.request("GET", "/lines?n=3", version="HTTP/1.0", headers={"Connection": "keep-alive"})
        assert response.ended_by_close and response.header("Transfer-Encoding") is None
        assert response.body == b"line 0\nline 1\nline 2\n"


def test_http_1_1_without_host_is_refused(shared):
    with shared.raw() as client:
        assert client.request(host=None).code == 400
        client.expect_close()


# ---- connections


def test_keep_alive_serves_many_requests_on_one_connection(shared):
    with shared.raw() as client:
        for number in range(50):
            response = client.request("POST", "/echo", body=b"%d" % number)
            assert response.body == b"%d" % number and response.header("Connection") == "keep-alive"


def test_connection_close_is_obeyed(shared):
    with shared.raw() as client:
        assert client.request(headers={"Connection": "close"}).header("Connection") == "close"
        client.expect_close()


def test_pipelined_requests_are_answered_in_order(shared):
    with shared.raw() as client:
        client.send(
            b"".join(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n%03d" % number for number in range(100))
        )
        for number in range(100):
            assert client.read_response().body == b"%03d" % number


def test_pipelined_head_and_chunked_bodies_are_told_apart(shared):
    with shared.raw() as client:
        client.send(
            b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
            b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        assert client.read_response("HEAD").header("Content-Length") == "5"
        assert client.read_response().body == b"abc"
        assert client.read_response().body == b"hello"
        client.expect_close()


def test_unread_body_does_not_become_the_next_request(shared):
    evil = b"GET /environ HTTP/1.1\r\nHost: h\r\n\r\n"
    with shared.raw() as client:
        assert client.request("POST", "/ignore-body", body=evil).body == b"ignored"
        assert client.request().body == b"hello"


EVIL = b"GET /environ HTTP/1.1\r\nHost: h\r\n\r\n"


def test_large_unread_body_closes_or_is_skipped_but_never_misread(shared):
    with shared.raw() as client:
        client.send_request("POST", "/ignore-body", headers={"Content-Length": str(50 * 1024 * 1024)}, body=EVIL * 10000)
        assert client.read_response().body == b"ignored"
        with pytest.raises((Closed, OSError)):
            while True:
                client.send(EVIL * 1000)
                client.sock.settimeout(0.05)
                try:
                    client.more()
                except TimeoutError:
                    continue
                assert not client.buffer, "something in the body was answered"
                if client.is_at_end:
                    raise Closed("as it should")


def test_request_split_into_single_bytes(shared):
    with shared.raw() as client:
        for byte in b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd":
            client.send(bytes([byte]))
        assert client.read_response().body == b"abcd"


def test_idle_connection_is_closed_after_keepalive_seconds(bare):
    with bare.raw() as client:
        client.request()
        begun = time.monotonic()
        client.expect_close(timeout=15)
        assert 1.0 < time.monotonic() - begun < 8 * SLOW


def test_half_closed_client_still_gets_its_answer(shared):
    with shared.raw() as client:
        client.send_request("POST", "/echo", body=b"abc")
        client.half_close()
        assert client.read_response().body == b"abc"
        client.expect_close()


def test_client_that_leaves_in_the_head_is_forgotten(shared):
    mark = shared.mark()
    with shared.raw() as client:
        client.send(b"GET / HTTP/1.1\r\nHos")
    assert shared.get("/").code == 200
    assert not shared.log_contains(r"\[(ERROR|WARNING)\]", since=mark)


# ---- request bodies


@pytest.mark.parametrize("size", [0, 1, 1000, 8191, 8192, 65536, 300000])
def test_body_with_content_length(shared, size):
    body = os.urandom(size)
    assert shared.request("POST", "/echo", body=body).body == body


def chunked(pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"abc"] * 50, [b"x" * 70000, b"y", b"z" * 8192]])
def test_chunked_body(shared, pieces):
    with shared.raw() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pieces))
        assert client.read_response().body == b"".join(pieces)
        assert client.request().body == b"hello"


def test_chunked_body_with_extensions_and_trailers_in_single_bytes(shared):
    with shared.raw() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n":
            client.send(bytes([byte]))
        assert client.read_response().body == b"abcde"
        assert client.request().body == b"hello"


def test_wsgi_input_reads_lines_and_pieces(shared):
    body = b"one\ntwo\nthree\nfour"
    response = shared.request("POST", "/input?calls=read:2,readline:,readline:2,iter:,read:5", body=body)
    assert response.json() == ["on", "e\n", "tw", ["o\n", "three\n", "four"], ""]


def test_wsgi_input_forms_of_read(bare):
    body = b"one\ntwo\nthree\nfour"
    assert bare.request("POST", "/input?calls=readlines:,read:", body=body).json() == [["one\n", "two\n", "three\n", "four"], ""]
    assert bare.request("POST", "/input?calls=read:-1,read:-1", body=body).json() == [body.decode(), ""]
    assert bare.request("POST", "/input?calls=read:0,readline:0,readline:-1,read:1000", body=body).json() == [
        "",
        "",
        "one\n",
        "two\nthree\nfour",
    ]


def test_no_body_reads_as_empty(shared):
    assert shared.request("POST", "/echo").body == b""


def test_body_cut_short_never_looks_complete(bare):
    with bare.raw() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        client.half_close()
        rest = client.read_to_end()
    assert not rest.startswith(b"HTTP/1.1 200"), rest


def test_malformed_chunk_ends_the_connection(bare):
    with bare.raw() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n")
        rest = client.read_to_end()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400"), rest


def test_large_body_streams_with_bounded_memory(shared):
    """64 MB go through; the worker never holds more than a few of them."""
    (worker,) = shared.workers()
    if has_sanitizer(worker):
        pytest.skip("sanitizers keep freed memory for a while")
    before = rss_bytes(worker)
    piece = os.urandom(1024 * 1024)
    check = 0
    peak = 0
    with shared.raw(timeout=60) as client:
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (64 * len(piece)))
        for _ in range(64):
            client.send(piece)
            check = zlib.crc32(piece, check)
            peak = max(peak, rss_bytes(worker))
        assert client.read_response().json() == {"bytes": 64 * len(piece), "crc": check}
    assert peak - before < 16 * 1024 * 1024, f"grew by {peak - before} bytes"


def test_body_arrives_while_the_application_reads(bare):
    """The application gets the first bytes before the last ones were sent."""
    with bare.raw() as client:
        client.send(b"POST /count?piece=10 HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000)
        wait_until(lambda: bare.status()["requests"]["active"] or True)
        client.send(b"x" * 50000)
        assert client.read_response().json()["bytes"] == 100000


# ---- Expect: 100-continue


def test_expect_100_continue_is_answered_before_the_body(shared):
    with shared.raw() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n")
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        client.send(b"abc")
        assert client.read_response().body == b"abc"


def test_expect_on_http_1_0_is_ignored(shared):
    with shared.raw() as client:
        client.send(b"POST /echo HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
        response = client.read_response()
        assert response.code == 200 and response.interim == [] and response.body == b"abc"


def test_other_expectations_are_417(shared):
    with shared.raw() as client:
        assert client.request(headers={"Expect": "miracles"}).code == 417
        client.expect_close()


# ---- answers


def test_head_has_the_headers_of_get_and_no_body(shared):
    with shared.raw() as client:
        response = client.request("HEAD", "/")
        assert response.header("Content-Length") == "5"
        assert client.request("GET", "/").body == b"hello"


@pytest.mark.parametrize("line", ["204 No Content", "304 Not Modified"])
def test_answers_that_have_no_body(bare, line):
    with bare.raw() as client:
        response = client.request("GET", "/no-length?line=" + quote(line))
        assert response.code == int(line[:3]) and response.header("Transfer-Encoding") is None
        assert client.request("GET", "/").body == b"hello"


def test_no_length_on_1_1_is_chunked(shared):
    with shared.raw() as client:
        response = client.request("GET", "/no-length")
        assert response.header("Transfer-Encoding") == "chunked" and response.body == b"some text"
        assert client.request("GET", "/lines?n=1000").body == b"".join(b"line %d\n" % n for n in range(1000))
        assert client.request("GET", "/empty").body == b""
        assert client.request("GET", "/").body == b"hello"


def test_large_answer_in_one_piece(shared):
    response = shared.get("/whole?mb=8")
    assert response.body == bytes(range(256)) * 4096 * 8


@pytest.mark.parametrize("length", ["", "&length=1"])
def test_large_answer_as_a_stream(shared, length):
    response = shared.get("/big?mb=16" + length)
    assert len(response.body) == 16 * 1024 * 1024
    assert zlib.crc32(response.body) == zlib.crc32(bytes(range(256)) * 256 * 16 * 16)


def test_application_headers_are_kept_and_hop_by_hop_dropped(bare):
    with bare.raw() as client:
        response = client.request("GET", "/headers")
        assert response.header("X-Mixed-CASE") == "kept"
        assert [value for name, value in response.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
        assert response.header("Server") != "other" and response.header("Date") != "yesterday"
        assert response.header("Transfer-Encoding") is None and response.header("Keep-Alive") is None
        assert response.header("X-Latin") == "caf\xe9"
        assert response.body == b"headers"


@pytest.mark.parametrize("kind", ["crlf", "name", "nonstr", "bytes"])
def test_bad_headers_never_reach_the_client(bare, kind):
    response = bare.get("/bad-header?kind=" + kind)
    assert response.code in (400, 500)
    assert response.header("X-Evil") is None and b"never seen" not in response.body


def test_bad_status_line_never_reaches_the_client(bare):
    response = bare.get("/bad-status")
    assert response.code == 500 and response.header("X-Evil") is None


@pytest.mark.parametrize("line", ["418 I'm a teapot", "299 ", "200 OK"])
def test_status_text_is_kept(bare, line):
    response = bare.get("/status?line=" + quote(line))
    assert f"{response.code} {response.reason}".rstrip() == line.rstrip()


def test_write_callable(shared):
    assert shared.get("/write").body == b"first second third"


CALLABLES_APP = """
import contextvars

seen = contextvars.ContextVar("seen", default="nothing")
kept = []
closed = []


class Unfit:
    def close(self):
        closed.append(seen.get())
        seen.set("left behind")


def app(environ, start_response):
    path = environ["PATH_INFO"]
    start = start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/unfit":
        seen.set("of this request")
        return Unfit()
    if path == "/keep":
        kept.append(start)
        return [b"kept"]
    words = []
    if path == "/wrong":
        for arguments, more in (((), {}), ((b"a", b"b"), {}), ((), {"data": b"a"}), (("text",), {})):
            try:
                start(*arguments, **more)
            except TypeError as error:
                words.append(str(error))
    if path == "/late":
        for write in kept:
            try:
                write(b"x")
            except RuntimeError as error:
                words.append(str(error))
    words.append(seen.get() + " " + " ".join(closed))
    return ["\\n".join(words).encode()]
"""


@pytest.fixture
def callables(server):
    server.write("callables.py", CALLABLES_APP)
    server.start("callables:app")
    return server


def test_write_takes_one_argument_bytes(callables):
    one = "write() takes one argument, bytes"
    assert callables.get("/wrong").body.decode().splitlines()[:4] == [one, one, one, "write() needs bytes, not str"]


def test_write_is_of_no_use_after_its_request(callables):
    for _ in range(70):  # more than are kept for the next ones
        assert callables.get("/keep").body == b"kept"
    assert callables.get("/late").body.decode().splitlines()[:70] == ["write() called after the request ended"] * 70


def test_close_of_what_cannot_be_iterated_runs_in_the_context_of_its_request(callables):
    assert callables.get("/unfit").code == 500
    assert callables.get("/").body == b"nothing of this request"


def test_exception_before_the_headers_is_500_and_logged(bare):
    mark = bare.mark()
    response = bare.get("/raise")
    assert response.code == 500 and b"Internal Server Error" in response.body
    assert response.header("Content-Type") == "text/html"
    bare.wait_log(r"\[ERROR\] Error handling request (GET )?/raise", since=mark)
    bare.wait_log(r"ValueError: before the headers", since=mark)
    bare.wait_log(r"in raise_before", since=mark)


def test_exception_after_start_response_but_nothing_sent_is_500(bare):
    assert bare.get("/raise-first").code == 500


def test_exception_after_the_headers_cuts_the_connection(bare):
    mark = bare.mark()
    with bare.raw() as client:
        client.send_request("GET", "/raise-after")
        with pytest.raises(Closed):
            client.read_response()
    bare.wait_log(r"ValueError: after the headers", since=mark)


def test_exc_info_replaces_the_answer_before_it_was_sent(bare):
    response = bare.get("/exc-info")
    assert response.code == 500 and response.body == b"error page"
    assert response.header("X-Second") == "1"


def test_exc_info_after_the_headers_is_raised_again(bare):
    mark = bare.mark()
    with bare.raw() as client:
        client.send_request("GET", "/exc-info-late")
        with pytest.raises(Closed):
            client.read_response()
    bare.wait_log(r"ValueError: too late", since=mark)


def test_start_response_twice_without_exc_info_is_an_error(bare):
    assert bare.get("/start-twice").code == 500


def test_no_start_response_is_an_error(bare):
    assert bare.get("/never-start").code == 500


def test_items_that_are_not_bytes_are_an_error(bare):
    mark = bare.mark()
    with bare.raw() as client:
        client.send_request("GET", "/not-bytes")
        try:
            assert client.read_response().code == 500
        except Closed:
            pass
    bare.wait_log(r"TypeError", since=mark)


def test_answer_shorter_than_promised_closes_the_connection(bare):
    with bare.raw() as client:
        client.send_request("GET", "/short")
        with pytest.raises(Closed):
            client.read_response()


def test_answer_longer_than_promised_is_cut_and_never_leaks_into_the_next(bare):
    with bare.raw() as client:
        assert client.request("GET", "/long").body == b"long"
        client.send_request("GET", "/")
        try:
            assert client.read_response().body == b"hello"
        except Closed:
            pass


@pytest.mark.parametrize("query, expected", [("", b"ab"), ("&fail=1", None)])
def test_close_of_the_iterable_is_called_once(bare, query, expected):
    mark = bare.folder / f"closed{len(query)}"
    with bare.raw() as client:
        client.send_request("GET", f"/closing?mark={mark}{query}")
        if expected:
            assert client.read_response().body == expected
        else:
            with pytest.raises(Closed):
                client.read_response()
    wait_until(lambda: mark.exists() and mark.read_text())
    bare.get("/")  # a second call would have come before this answer
    assert mark.read_text() == "closed\n"


def test_close_of_the_iterable_is_called_when_the_client_leaves(bare):
    mark = bare.folder / "closed-early"
    with bare.raw() as client:
        client.send_request("GET", f"/closing?mark={mark}&endless=1")
        client.read_exactly(100000)
    wait_until(mark.exists, 15 * SLOW)
    assert bare.get("/").code == 200


# ---- wsgi.file_wrapper


@pytest.fixture(scope="module")
def some_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "data"
    path.write_bytes(os.urandom(3 * 1024 * 1024 + 17))
    return path


def test_file_wrapper_sends_the_whole_file(bare, some_file):
    content = some_file.read_bytes()
    with bare.raw() as client:
        assert client.request("GET", f"/file?path={some_file}").body == content
        assert client.request("GET", f"/file?path={some_file}&length={len(content)}").body == content
        assert client.request("GET", "/").body == b"hello"


def test_file_wrapper_starts_at_the_files_position_and_stops_at_the_length(bare, some_file):
    content = some_file.read_bytes()
    with bare.raw() as client:
        assert client.request("GET", f"/file?path={some_file}&offset=1000").body == content[1000:]
        assert client.request("GET", f"/file?path={some_file}&offset=1000&length=500").body == content[1000:1500]
        assert client.request("GET", "/").body == b"hello"


def test_file_wrapper_with_head(bare, some_file):
    with bare.raw() as client:
        assert client.request("HEAD", f"/file?path={some_file}&length=100").header("Content-Length") == "100"
        assert client.request("GET", "/").body == b"hello"


def test_file_wrapper_without_descriptor(shared):
    assert shared.get("/file-like").body == b"0123456789" * 10000


def test_empty_file(bare, tmp_path):
    (tmp_path / "empty").touch()
    with bare.raw() as client:
        assert client.request("GET", f"/file?path={tmp_path}/empty").body == b""
        assert client.request("GET", "/").body == b"hello"


# ---- environ


def test_environ_is_complete(shared):
    with shared.raw() as client:
        client.send(
            b"POST /environ?a=1&b=%20 HTTP/1.1\r\nHost: example.org:81\r\nContent-Type: text/x\r\nContent-Length: 0\r\n"
            b"X-One: 1\r\nX-Two: a\r\nX-Two: b\r\nX_Under: no\r\nCookie: c=d\r\nX-Latin: \xe9\r\n\r\n"
        )
        environ = client.read_response().json()
        peer = client.sock.getsockname()
    types = environ.pop("types")
    host, port = shared.address
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/environ",
        "QUERY_STRING": "a=1&b=%20",
        "RAW_URI": "/environ?a=1&b=%20",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "0",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer[0],
        "REMOTE_PORT": str(peer[1]),
        "HTTP_HOST": "example.org:81",
        "HTTP_X_ONE": "1",
        "HTTP_X_TWO": "a,b",
        "HTTP_COOKIE": "c=d",
        "HTTP_X_LATIN": "\xe9",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {key: environ.get(key) for key in expected} == expected
    for key in ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper"):
        assert key in environ, key
    assert environ["SERVER_SOFTWARE"].startswith(("gunwale/", "gunicorn/"))
    assert "HTTP_X_UNDER" not in environ and "HTTP_CONTENT_TYPE" not in environ and "HTTP_CONTENT_LENGTH" not in environ
    for key, kind in types.items():
        if key.isupper():
            assert kind == "str", key


def test_each_address_has_its_own_server_name_and_port(server):
    server.start(bind="unix:socket", args=["--bind", "127.0.0.1:0", "--bind", "127.0.0.2:0"])
    addresses = re.findall(r"http://([\d.]+):(\d+)", server.wait_log(r"Listening at: unix:socket,.*").group())
    for address in [(host, int(port)) for host, port in addresses] * 2:
        server.address = address
        environ = server.get("/environ").json()
        assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (address[0], str(address[1]))
        assert environ["wsgi.url_scheme"] == "http"
    assert len(addresses) == 2


def test_no_content_headers_no_keys(shared):
    environ = shared.get("/environ").json()
    assert "CONTENT_TYPE" not in environ or environ["CONTENT_TYPE"] == ""
    assert "CONTENT_LENGTH" not in environ


@pytest.mark.parametrize(
    "target, path, query",
    [
        ("/environ", "/environ", ""),
        ("/environ?", "/environ", ""),
        ("/%65nviron?x=%41", "/environ", "x=%41"),
        ("/environ?a?b", "/environ", "a?b"),
        ("http://other.example/environ?q", "/environ", "q"),
        ("/environ?x#f", "/environ", "x"),
    ],
)
def test_targets(shared, target, path, query):
    environ = shared.get(target).json()
    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["RAW_URI"]) == (path, query, target)


def test_multiprocess_is_true_with_several_workers(server):
    server.start(workers=2)
    assert server.get("/environ").json()["wsgi.multiprocess"] is True


# ---- refused requests

REFUSED = {
    "no version": (b"GET /\r\nHost: h\r\n\r\n", 400),
    "bad version": (b"GET / HTTP/9.1\r\nHost: h\r\n\r\n", 400),
    "lower case method": (b"get / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "relative target": (b"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "space before the colon": (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    "folded header": (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "bad length": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na", 400),
    "length and chunked": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked on 1.0": (b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "unknown coding": (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: magic\r\n\r\n", 501),
    "NUL in a value": (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    "long line": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    "long header": (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: 1\r\n" * 101 + b"\r\n", 431),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(bare, name):
    data, code = REFUSED[name]
    mark = bare.mark()
    with bare.raw() as client:
        client.send(data)
        response = client.read_response()
        assert response.code == code, response
        assert response.header("Connection") == "close" and response.header("Content-Type") == "text/html"
        assert [key for key, _ in response.headers] == ["Connection", "Content-Type", "Content-Length"]
        client.expect_close()
    bare.wait_log(r"Invalid request from ip=127\.0\.0\.1: ", since=mark)


# ---- slow clients


def time_of_hello(server):
    begun = time.monotonic()
    assert server.get("/").body == b"hello"
    return time.monotonic() - begun


def test_many_dribbling_heads_do_not_hold_up_a_normal_client(bare):
    clients, times = [], []
    try:
        for _ in range(200):
            clients.append(bare.raw())
            clients[-1].send(b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        for _ in range(5):
            for client in clients:
                client.send(b"x")
            times.append(time_of_hello(bare))
        assert statistics.median(times) < 1.0 * SLOW
        for client in clients:
            client.send(b"\r\n\r\n")
        for client in clients:
            assert client.read_response().body == b"hello"
    finally:
        for client in clients:
            client.close()


def test_a_dribbling_body_does_not_hold_up_others(bare):
    """The application is called when a small body is there, not before."""
    with bare.raw() as slow:
        slow.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
        times = []
        for _ in range(9):
            slow.send(b"x")
            times.append(time_of_hello(bare))
        assert statistics.median(times) < 1.0 * SLOW
        slow.send(b"x")
        assert slow.read_response().body == b"x" * 10


def test_slow_readers_of_a_large_stream_do_not_hold_up_others_nor_fill_memory(bare):
    (worker,) = bare.workers()
    before = rss_bytes(worker)
    slow = [bare.raw(receive_buffer=4096) for _ in range(10)]
    try:
        for client in slow:
            client.send_request("GET", "/big?mb=64&length=1")
        for client in slow:
            assert client.read_head().code == 200
        assert statistics.median(time_of_hello(bare) for _ in range(20)) < 1.0 * SLOW
        assert has_sanitizer(worker) or rss_bytes(worker) - before < 32 * 1024 * 1024
        # One of them reads on, and gets every byte.
        body = slow[3].read_exactly(64 * 1024 * 1024)
        assert zlib.crc32(body) == zlib.crc32(bytes(range(256)) * 256 * 16 * 64)
    finally:
        for client in slow:
            client.close()
    assert bare.get("/").body == b"hello"


def test_slow_reader_of_a_large_single_piece(bare):
    with bare.raw(receive_buffer=4096) as slow:
        slow.send_request("GET", "/whole?mb=16")
        assert slow.read_head().code == 200
        assert bare.get("/").body == b"hello"
        assert slow.read_exactly(16 * 1024 * 1024) == bytes(range(256)) * 4096 * 16


def test_slow_reader_of_a_file(bare, some_file):
    with bare.raw(receive_buffer=4096) as slow:
        slow.send_request("GET", f"/file?path={some_file}&length={some_file.stat().st_size}")
        assert slow.read_head().code == 200
        assert bare.get("/").body == b"hello"
        assert slow.read_exactly(some_file.stat().st_size) == some_file.read_bytes()


# ---- the rest of what the application sees


def test_wsgi_errors_goes_to_the_error_log(bare):
    mark = bare.mark()
    assert bare.get("/errors").code == 200
    bare.wait_log(r"^written to wsgi.errors$", since=mark)
    bare.wait_log(r"^and lines$", since=mark)


def test_system_exit_in_the_application_is_500_and_the_worker_lives(bare):
    (worker,) = bare.workers()
    assert bare.get("/exit?how=system-exit").code == 500
    assert bare.get("/pid").text == str(worker)


def test_the_application_runs_on_the_main_thread_with_a_usable_python(bare):
    facts = bare.get("/facts").json()
    assert facts["is_main_thread"] is True
    assert facts["python_child"] == "True\n"
    assert os.path.basename(facts["argv"][0]) in ("gunwale", "gunicorn")
    assert os.path.exists(facts["executable"])
    assert re.fullmatch(r"gun(wale|icorn)/\S+", facts["env"]["SERVER_SOFTWARE"])
    assert json.dumps(facts["path"])
