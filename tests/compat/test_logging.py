# SPDX-License-Identifier: MIT
"""Logs: one body for gunicorn and gunwale. What gunwale escapes beyond gunicorn is in tests/e2e."""

import base64
import contextlib
import json
import re
import socket

import pytest
from test_cli import pytestmark  # noqa: F401
from test_traps_running import harness, serve, server  # noqa: F401

wait_until = harness.wait_until

FORMAT = "|".join(
    "%(h)s %(l)s %(u)s %(r)s %(m)s %(U)s %(q)s %(H)s %(s)s %(B)d %(b)8s %(f)s %(a)-14s %(T)d %({X-Req}i)s %({X-Req}I)s"
    " %({x-mixed-case}o)s %({server_protocol}e)s %(unknown)s %% %({none}i)5s %(s).1s %(B)#06x %(m)r %({Date}o)s".split(" ")
)
HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"alice:se:cret").decode(),
    "X-Req": 'say "hi"',
    "Referer": "http://r/?a=b",
    "User-Agent": "agent",
}
EXPECTED = (
    '127.0.0.1|-|alice|GET /headers?q=%20&x HTTP/1.1|GET|/headers|q=%20&x|HTTP/1.1|200|7|       7|http://r/?a=b|agent         |0|'
    "say \\\"hi\\\"|say \\\"hi\\\"|kept|HTTP/1.1|-|%|    -|2|0x0007|'GET'|-"
)

LOGGER = """
from gunicorn.glogging import Logger

class Mine(Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self.error(f"setup {cfg.accesslog} {len(self.error_log.handlers)} {len(self.access_log.handlers)}"
                   f" {self._get_gunicorn_handler(self.error_log) is self.error_log.handlers[0]} {self.loglevel}")

    def exception(self, msg, *args, **kwargs):
        import sys
        super().exception("caught %s: " % sys.exc_info()[0].__name__ + msg, *args, **kwargs)

    def atoms(self, resp, req, environ, request_time):
        atoms = super().atoms(resp, req, environ, request_time)
        atoms["names"] = " ".join(sorted(name for name in atoms if len(name) == 1))
        atoms["types"] = " ".join(type(atoms[name]).__name__ for name in "hlutrsmUqHbBfaTDMLp")
        return atoms

    def access(self, resp, req, environ, request_time):
        if req.path != "/health":
            super().access(resp, req, environ, request_time)

logger_class = Mine
accesslog = "access"
access_log_format = "%(m)s %(U)s %(s)s %(names)s %(types)s"
"""

DICT = """
logconfig_dict = {
    "formatters": {"generic": {"format": "%(levelname)s|%(name)s|%(message)s"}},
    "root": {"level": "INFO", "handlers": []},
}
"""


def lines_of(server, count, name="access"):  # noqa: F811
    path = server.folder / name
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    return path.read_text().splitlines()


def test_conversions_of_the_access_line(server):  # noqa: F811
    conf = f"accesslog = 'access'\naccess_log_format = {FORMAT!r}\n"
    serve(server, conf=conf)
    assert server.get("/headers?q=%20&x", headers=HEADERS).code == 200
    assert lines_of(server, 2)[1] == EXPECTED


def test_the_same_through_a_logger_class(server):  # noqa: F811
    conf = f"from gunicorn.glogging import Logger\nclass logger_class(Logger):\n    pass\naccesslog = 'access'\naccess_log_format = {FORMAT!r}\n"
    serve(server, conf=conf)
    assert server.get("/headers?q=%20&x", headers=HEADERS).code == 200
    assert lines_of(server, 2)[1] == EXPECTED


def test_a_logger_class(server):  # noqa: F811
    serve(server, conf=LOGGER)
    server.get("/health")
    assert server.get("/raise").code == 500
    assert server.get("/nowhere").code == 404
    got = lines_of(server, 3)
    names = "B D H L M T U a b f h l m p q r s t u"
    types = "str str str str str str str str str str str int str str int int int str str"
    assert [got[0], got[2]] == [f"GET / 200 {names} {types}", f"GET /nowhere 404 {names} {types}"]
    assert re.match(r"GET \S+ 500 ", got[1])  # gunicorn has forgotten the path by then
    server.stop()
    assert server.log_contains(r"\[ERROR\] setup access 1 1 True 20$", times=1)
    assert server.log_contains(r"\[ERROR\] caught ValueError: Error handling request (GET )?/raise\nTraceback")


def test_a_dictionary(server):  # noqa: F811
    server.write("gunicorn.conf.py", DICT)
    server.begin(["-b", "unix:socket", "basic:app"])
    server.address = str(server.folder / "socket")
    server.wait_log(r"INFO\|gunicorn\.error\|Booting worker with pid: \d+$")
    wait_until(server.can_connect)
    assert server.get("/").code == 200
    wait_until(lambda: '"GET / HTTP/1.1" 200 5' in server.out_path.read_text())
    assert re.fullmatch(r'INFO\|gunicorn\.access\| - - \[[^]]+\] "GET / HTTP/1\.1" 200 5 "-" "-"\n', server.out_path.read_text())
    server.stop()
    assert not re.search(r"^\[", server.log(), re.MULTILINE)
    assert server.log_contains(r"^INFO\|gunicorn\.error\|Handling signal: term$", times=1)
    assert server.log_contains(r"^INFO\|gunicorn\.error\|Shutting down: Master$", times=1)


# Of each the head is whole, or not; then the answer, and what the access line says.
REFUSED = (
    (b"GET /one?q HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\nX-Req: me\r\n\r\n", 400, "GET /one?q|q|400|0|me"),
    (b"GET /two HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "GET /two||400|0|-"),
    (b"GET /three HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n", 400, "GET /three||400|0|-"),
    (b"POST /four HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "POST /four||400|0|-"),
    (b"GET /five HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: other\r\n\r\n", 501, None),
    (b"GET /six HTTP/1.1\r\nHost: a\r\nExpect: other\r\n\r\n", 417, None),
    (b"GET /seven HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n", 400, None),
    (b"garbage\r\n\r\n", 400, None),
)


@pytest.mark.parametrize("conf", ["", "from gunicorn.glogging import Logger\nclass logger_class(Logger):\n    pass\n"])
def test_refused_requests_that_have_an_access_line(server, conf):  # noqa: F811
    form = "%(m)s %({raw_uri}e)s|%(q)s|%(s)s|%(b)s|%({x-req}i)s"
    serve(server, conf=f"{conf}accesslog = 'access'\naccess_log_format = {form!r}\n")
    for request, status, _line in REFUSED:
        with socket.create_connection(server.address, timeout=30) as client:
            client.sendall(request)
            assert client.recv(65536).startswith(b"HTTP/1.1 %d " % status)
    assert server.get("/last").code == 404
    wanted = [line for _request, _status, line in REFUSED if line]
    got = lines_of(server, len(wanted) + 2)[1:]
    assert got == [*wanted, "GET /last||404|12|-"]


OTHER_HANDLER = """
import logging
from gunicorn.glogging import Logger

class logger_class(Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.addHandler(logging.FileHandler("other"))
"""


@pytest.mark.parametrize("errorlog", ["-", "err"])
def test_wsgi_errors_reaches_every_handler_of_the_error_log(server, errorlog):  # noqa: F811
    server.write("says.py", "from basic import app as inner\ndef app(environ, start_response):\n    environ['wsgi.errors'].write('said \\xe9\\n')\n    return inner(environ, start_response)\n")
    server.write("gunicorn.conf.py", f"{OTHER_HANDLER}\nerrorlog = {errorlog!r}\n")
    server.begin(["-b", "unix:socket", "says:app"])
    server.address = str(server.folder / "socket")
    wait_until(server.can_connect)
    assert server.get("/").code == 200
    main = server.log() if errorlog == "-" else (server.folder / "err").read_text()
    assert main.count("\nsaid \xe9\n") == 1
    assert (server.folder / "other").read_text().count("\nsaid \xe9\n") == 1


@pytest.fixture
def receiver():
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


def wait_datagrams(receiver, patterns):
    """Until each pattern fits one datagram as a whole; returns all that came."""
    seen = []

    def have_all():
        with contextlib.suppress(BlockingIOError):
            while True:
                seen.append(receiver.recv(65536).decode())
        return all(any(re.fullmatch(pattern, one, re.DOTALL) for one in seen) for pattern in patterns)

    wait_until(have_all, what=json.dumps(seen))
    return seen


def test_statsd(server, receiver):  # noqa: F811
    port = receiver.getsockname()[1]
    serve(server, ["--statsd-host", f"127.0.0.1:{port}", "--statsd-prefix", "pre.", "--dogstatsd-tags", "a:b"])
    assert server.get("/raise").code == 500
    wait_datagrams(
        receiver,
        [
            r"pre\.gunicorn\.workers:1\|g\|#a:b",
            r"pre\.gunicorn\.requests:1\|c\|@1\.0\|#a:b",
            r"pre\.gunicorn\.request\.status\.200:1\|c\|@1\.0\|#a:b",
            r"pre\.gunicorn\.request\.status\.500:1\|c\|@1\.0\|#a:b",
            r"pre\.gunicorn\.request\.duration:[0-9.]+\|ms\|#a:b",
            r"pre\.gunicorn\.log\.exception:1\|c\|@1\.0\|#a:b",
        ],
    )


def test_syslog(server, receiver):  # noqa: F811
    port = receiver.getsockname()[1]
    serve(server, ["--log-syslog", "--log-syslog-to", f"udp://127.0.0.1:{port}", "--log-syslog-prefix", "p"])
    assert server.get("/raise").code == 500
    wait_datagrams(
        receiver,
        [
            rf"<14>gunicorn\.p\.error: \[{server.pid}\] Listening at: http://127\.0\.0\.1:\d+ \({server.pid}\)\0",
            r'<14>gunicorn\.p\.access: \[\d+\] 127\.0\.0\.1 - - \[[^]]+\] "GET / HTTP/1\.1" 200 5 "-" "-"\0',
            r"<11>gunicorn\.p\.error: \[\d+\] Error handling request (GET )?/raise\nTraceback.*\0",
        ],
    )
