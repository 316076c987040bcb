# SPDX-License-Identifier: MIT
"""The application of most end-to-end tests: one function for each path, no framework."""

import json
import os
import sys
import threading
import time
from urllib.parse import parse_qs

ROUTES = {}


def route(path):
    def keep(function):
        ROUTES[path] = function
        return function

    return keep


def answer(start_response, body, status="200 OK", headers=(), kind="text/plain"):
    if isinstance(body, str):
        body = body.encode("utf-8")
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *headers])
    return [body]


def query(environ, name, default=None):
    return parse_qs(environ["QUERY_STRING"]).get(name, [default])[0]


def app(environ, start_response):
    handler = ROUTES.get(environ["PATH_INFO"])
    if handler is None:
        return answer(start_response, "no such path", "404 Not Found")
    return handler(environ, start_response)


@route("/")
def hello(environ, start_response):
    return answer(start_response, "hello")


@route("/pid")
def pid(environ, start_response):
    return answer(start_response, str(os.getpid()))


@route("/environ")
def show_environ(environ, start_response):
    shown = {}
    for key, value in environ.items():
        shown[key] = value if isinstance(value, (str, int, bool)) else repr(type(value).__name__)
    shown["wsgi.version"] = list(environ["wsgi.version"])
    shown["types"] = {key: type(value).__name__ for key, value in environ.items()}
    return answer(start_response, json.dumps(shown), kind="application/json")


@route("/echo")
def echo(environ, start_response):
    # In pieces: the standard library's WSGI checker wants an argument for read().
    return answer(start_response, b"".join(iter(lambda: environ["wsgi.input"].read(65536), b"")))


@route("/ignore-body")
def ignore_body(environ, start_response):
    return answer(start_response, "ignored")


@route("/count")
def count(environ, start_response):
    """Reads a body of any size in pieces and answers its size and a check sum."""
    import zlib

    total = check = 0
    size = int(query(environ, "piece", "65536"))
    while True:
        data = environ["wsgi.input"].read(size)
        if not data:
            break
        total += len(data)
        check = zlib.crc32(data, check)
    return answer(start_response, json.dumps({"bytes": total, "crc": check}))


@route("/input")
def use_input(environ, start_response):
    """Runs the calls of ?calls=, such as read:5,readline:,readlines:,iter: on wsgi.input."""
    stream = environ["wsgi.input"]
    results = []
    for call in query(environ, "calls", "").split(","):
        name, _, argument = call.partition(":")
        if name == "iter":
            result = [line.decode("latin-1") for line in stream]
        else:
            result = getattr(stream, name)(*([int(argument)] if argument else []))
            result = [line.decode("latin-1") for line in result] if isinstance(result, list) else result.decode("latin-1")
        results.append(result)
    return answer(start_response, json.dumps(results))


@route("/lines")
def lines(environ, start_response):
    """An iterable of ?n= pieces without Content-Length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"line %d\n" % number for number in range(int(query(environ, "n", "3"))))


@route("/big")
def big(environ, start_response):
    """?mb= megabytes in pieces of 64 KiB, with Content-Length when ?length=1."""
    megabytes = int(query(environ, "mb", "1"))
    headers = [("Content-Type", "application/octet-stream")]
    if query(environ, "length"):
        headers.append(("Content-Length", str(megabytes * 1024 * 1024)))
    start_response("200 OK", headers)
    piece = bytes(range(256)) * 256
    for _ in range(megabytes * 16):
        yield piece


@route("/whole")
def whole(environ, start_response):
    """?mb= megabytes in one piece."""
    return answer(start_response, bytes(range(256)) * 4096 * int(query(environ, "mb", "1")))


@route("/sleep")
def sleep(environ, start_response):
    """Waits for ?s= seconds; the test sees in ?mark= (a file) that it has begun."""
    mark = query(environ, "mark")
    if mark:
        with open(mark, "a") as file:
            file.write("%d\n" % os.getpid())
    time.sleep(float(query(environ, "s", "1")))
    return answer(start_response, "slept in %d" % os.getpid())


@route("/wait")
def wait(environ, start_response):
    """Waits until the file ?until= exists; writes its pid to ?mark= first."""
    mark = query(environ, "mark")
    if mark:
        with open(mark, "a") as file:
            file.write("%d\n" % os.getpid())
    end = time.monotonic() + 60
    while not os.path.exists(query(environ, "until")) and time.monotonic() < end:
        time.sleep(0.01)
    return answer(start_response, "waited in %d" % os.getpid())


@route("/status")
def status(environ, start_response):
    return answer(start_response, query(environ, "body", ""), query(environ, "line"))


@route("/no-length")
def no_length(environ, start_response):
    start_response(query(environ, "line", "200 OK"), [("Content-Type", "text/plain")])
    return [b"some ", b"", b"text"]


@route("/empty")
def empty(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return []


@route("/headers")
def headers(environ, start_response):
    return answer(
        start_response,
        "headers",
        headers=[
            ("X-Mixed-CASE", "  kept  "),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"),
            ("Server", "other"),
            ("Date", "yesterday"),
            ("X-Latin", "caf\xe9"),
        ],
    )


@route("/bad-header")
def bad_header(environ, start_response):
    kind = query(environ, "kind")
    bad = {
        "crlf": ("X-Injected", "a\r\nX-Evil: 1"),
        "name": ("X Bad", "1"),
        "nonstr": ("X-Number", 1),
        "bytes": (b"X-Bytes", "1"),
    }[kind]
    return answer(start_response, "never seen", headers=[bad])


@route("/bad-status")
def bad_status(environ, start_response):
    return answer(start_response, "never seen", status="200 OK\r\nX-Evil: 1")


@route("/write")
def use_write(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"first ")
    write(b"second ")
    return [b"third"]


@route("/raise")
def raise_before(environ, start_response):
    raise ValueError("before the headers")


@route("/raise-after")
def raise_after(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    raise ValueError("after the headers")


@route("/raise-first")
def raise_first(environ, start_response):
    """start_response was called, nothing was sent."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    raise ValueError("nothing sent yet")


@route("/exc-info")
def exc_info(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-First", "1")])
    try:
        raise ValueError("x")
    except ValueError:
        start_response("500 Internal Server Error", [("Content-Type", "text/plain"), ("X-Second", "1")], sys.exc_info())
    return [b"error page"]


@route("/exc-info-late")
def exc_info_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"sent"
    try:
        raise ValueError("too late")
    except ValueError:
        start_response("500 Internal Server Error", [], sys.exc_info())
    yield b"never seen"


@route("/start-twice")
def start_twice(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"never seen"]


@route("/never-start")
def never_start(environ, start_response):
    return [b"no start_response"]


@route("/not-bytes")
def not_bytes(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["text"]


@route("/short")
def short(environ, start_response):
    """Fewer bytes than it promised."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "100")])
    return [b"short"]


@route("/long")
def long(environ, start_response):
    """More bytes than it promised."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"long", b"er than promised"]


class Closing:
    """An iterable that writes into the file ?mark= when it is closed."""

    def __init__(self, mark, pieces):
        self.mark = mark
        self.pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        piece = next(self.pieces)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self):
        with open(self.mark, "a") as file:
            file.write("closed\n")


@route("/closing")
def closing(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    pieces = [b"a", b"b"]
    if query(environ, "fail"):
        pieces.append(ValueError("while iterating"))
    if query(environ, "endless"):
        pieces = (b"x" * 65536 for _ in range(100000))
    return Closing(query(environ, "mark"), pieces)


@route("/file")
def send_file(environ, start_response):
    """The file ?path= from ?offset= through wsgi.file_wrapper; Content-Length only when ?length= is given."""
    file = open(query(environ, "path"), "rb")
    file.seek(int(query(environ, "offset", "0")))
    headers = [("Content-Type", "application/octet-stream")]
    if query(environ, "length"):
        headers.append(("Content-Length", query(environ, "length")))
    start_response("200 OK", headers)
    return environ["wsgi.file_wrapper"](file, 8192)


@route("/file-like")
def send_file_like(environ, start_response):
    """file_wrapper around something without a file descriptor."""
    import io

    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789" * 10000), 4096)


@route("/errors")
def errors(environ, start_response):
    environ["wsgi.errors"].write("written to wsgi.errors\n")
    environ["wsgi.errors"].writelines(["and ", "lines\n"])
    environ["wsgi.errors"].flush()
    print("printed to stdout", flush=True)
    return answer(start_response, "written")


@route("/exit")
def leave(environ, start_response):
    if query(environ, "how") == "system-exit":
        raise SystemExit(7)
    os._exit(int(query(environ, "code", "9")))


@route("/segv")
def segv(environ, start_response):
    os.kill(os.getpid(), 11)
    return answer(start_response, "never seen")


@route("/memory")
def memory(environ, start_response):
    with open("/proc/self/statm") as file:
        return answer(start_response, str(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")))


@route("/facts")
def facts(environ, start_response):
    """What the process looks like from inside."""
    import subprocess

    shown = {
        "argv": sys.argv,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "version": sys.version_info[:2],
        "path": sys.path,
        "cwd": os.getcwd(),
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "umask": os.umask(0),
        "threads": [thread.name for thread in threading.enumerate()],
        "is_main_thread": threading.current_thread() is threading.main_thread(),
        "env": dict(os.environ),
        "gunicorn": "gunicorn" in sys.modules,
    }
    os.umask(shown["umask"])
    shown["child_fds"] = subprocess.run(["ls", "/proc/self/fd"], stdout=subprocess.PIPE, check=True, close_fds=False).stdout.split()
    shown["child_fds"] = [int(fd) for fd in shown["child_fds"]]
    shown["python_child"] = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.version_info[:2] == %r)" % (tuple(sys.version_info[:2]),)],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    return answer(start_response, json.dumps(shown), kind="application/json")
