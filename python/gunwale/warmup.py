# SPDX-License-Identifier: MIT
"""warmup_paths: requests that the application answers before the first client comes.

With preload_app the template asks, so that what an application sets up in its first requests is shared by all workers; without,
each worker asks itself, while it takes no connections yet. Called by template.py and life.py.

The environ is that of a real request (src/py/warmup.c) but for gunwale.warmup, a wsgi.input that is empty, wsgi.early_hints that
go nowhere, and no gunicorn.socket, as there is no connection. Headers of the answer are not looked at.
"""

import contextlib
import contextvars
import os
import time
import traceback
from urllib.parse import unquote_to_bytes, urlsplit

import _gunwale

from gunwale import compat, ending

ROUNDS = 10  # from the eighth call on CPython 3.11 and later specialise a function, which writes into it
PATH_SECONDS = 2.0  # after these a path is not asked again, and a body not read on
BODY_MAX = 1 << 20


class _BadAnswer(Exception):
    """No exception of the application, but not what a warm-up hopes for either."""


class _Enough(BaseException):
    """The answer is read no further. No Exception: an application that calls write() without an end might catch that."""


class _Answer:
    """What the application answers to one request."""

    def __init__(self, until):
        self.status = None
        self._until = until
        self._size = 0

    def start_response(self, status, headers, exc_info=None):
        if exc_info:
            if self._size > 0:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.status is not None:
            raise AssertionError("Response headers already set!")
        if not isinstance(status, str):
            raise TypeError(f"status must be a str, not {type(status).__name__}")
        self.status = status
        return self.take

    def take(self, piece):
        """A piece of the body, or what write() is given."""
        self._size += len(piece)
        if self._size > BODY_MAX or time.monotonic() >= self._until:
            raise _Enough


def run(app, cfg, log, is_alive=lambda: True):
    """Asks for each path. What goes wrong is a warning: the application serves as it would without."""
    begun = time.monotonic()
    pid = os.getpid()
    count = 0

    def goes_on():
        """Neither told to leave, where the application may have caught SystemExit, nor a copy that it forked."""
        return is_alive() and os.getpid() == pid

    for target in cfg.get("warmup_paths") or ():
        if not goes_on():
            break
        log.info("Warming up %s", target)
        try:
            for _ in _ask_often(app, target):
                count += 1
                if not goes_on():
                    break
        except _BadAnswer as answer:
            log.warning("Warm-up of %s: %s", target, answer)
        except BaseException:
            # SystemExit, and what gevent throws, are the application's business as well, unless a signal's handler raised it.
            if not goes_on():
                raise
            log.warning("Warm-up of %s failed:\n%s", target, traceback.format_exc().rstrip("\n"))
    if count > 0 and goes_on():
        log.info("Warmed up with %d requests in %.2f s", count, time.monotonic() - begun)


def run_in_worker(worker):
    """A signal that ends the worker marks it before its handler raises: life.py."""
    run(worker.wsgi, worker.cfg, worker.log, lambda: worker.alive)


def run_before_fork(app, cfg, log):
    """The same in the template, which must not keep what processes cannot share. No signal raises anything there."""
    before = _connections()
    pid = os.getpid()
    try:
        run(app, cfg, log)
    finally:
        if os.getpid() != pid:  # there is one template; of workers C minds the copies
            ending.flush()
            os._exit(0)
    after = _connections()
    left = sorted(peer for link, peer in after.items() if link not in before)
    if left:
        log.warning(
            "The warm-up left %d connection(s) open (%s), which all workers will share: close them where environ has "
            "gunwale.warmup, or after the fork (os.register_at_fork).", len(left), ", ".join(left)
        )


def _ask_often(app, target):
    """Yields after each good answer."""
    until = time.monotonic() + PATH_SECONDS
    for _ in range(ROUNDS):
        answer = _Answer(until)
        with contextlib.suppress(_Enough):
            contextvars.copy_context().run(_ask, app, _make_environ(target), answer)
        if answer.status is None:
            raise _BadAnswer("the application did not call start_response()")
        if not answer.status.startswith("2"):
            raise _BadAnswer(f"the answer is {answer.status}")
        yield
        if time.monotonic() >= until:
            break


def _ask(app, environ, answer):
    body = app(environ, answer.start_response)
    try:
        for piece in body:
            answer.take(piece)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _make_environ(target):
    """A GET of our own; gunwale.warmup tells the application that nobody is there."""
    url = urlsplit(target)
    scheme = url.scheme or "http"
    path = url.path or "/"
    environ = _gunwale.environ(compat.server_names()[1])
    prefix = environ["SCRIPT_NAME"]
    if not path.startswith(prefix):
        raise _BadAnswer(f"the path does not begin with SCRIPT_NAME ({prefix})")
    environ.update({
        "REQUEST_METHOD": "GET",
        "PATH_INFO": unquote_to_bytes(path[len(prefix):]).decode("latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": path + ("?" + url.query if url.query else ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": str(url.port or (443 if scheme == "https" else 80)),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "HTTP_HOST": url.netloc or "localhost",
        "HTTP_USER_AGENT": "gunwale-warmup",
        "HTTP_ACCEPT": "*/*",
        "wsgi.url_scheme": scheme,
        "gunwale.warmup": True,
    })
    return environ


def _connections():
    """{identity of the socket: its peer} of the streams that this process has open to somebody. Empty where /proc is missing.

    Asked of the kernel, by number: a socket object would change the blocking mode of what others use, with gevent or with
    socket.setdefaulttimeout().
    """
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):  # closed meanwhile
                link = os.readlink(f"/proc/self/fd/{name}")
                peer = _gunwale.peer(int(name)) if link.startswith("socket:") else None
                if peer is not None:
                    found[link] = peer
    return found
