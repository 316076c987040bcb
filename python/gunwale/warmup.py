# SPDX-License-Identifier: MIT
"""warmup_paths: requests that the application answers before the first client comes.

With preload_app the template asks, so that what an application sets up in its first requests is shared by all workers; without,
each worker asks itself, while it takes no connections yet. Called by template.py and life.py.
"""

import contextlib
import io
import os
import socket
import sys
import time
import traceback
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.util import FileWrapper

ROUNDS = 10  # from the eighth call on CPython 3.11 and later specialise a function, which writes into it
PATH_SECONDS = 2.0  # after these a path is not asked again
BODY_MAX = 1 << 20


class _BadAnswer(Exception):
    """No exception of the application, but not what a warm-up hopes for either."""


def run(app, cfg, log):
    """Asks for each path. What goes wrong is a warning: the application serves as it would without."""
    begun = time.monotonic()
    count = 0
    for target in cfg.get("warmup_paths") or ():
        try:
            count += _ask_often(app, cfg, target)
        except _BadAnswer as answer:
            log.warning("Warm-up of %s: %s", target, answer)
        except Exception:
            log.warning("Warm-up of %s failed:\n%s", target, traceback.format_exc().rstrip("\n"))
    if count > 0:
        log.info("Warmed up with %d requests in %.2f s", count, time.monotonic() - begun)


def run_before_fork(app, cfg, log):
    """The same in the template, which must not keep what processes cannot share."""
    before = _connections()
    run(app, cfg, log)
    after = _connections()
    left = sorted(peer for link, peer in after.items() if link not in before)
    if left:
        log.warning(
            "The warm-up left %d connection(s) open (%s), which all workers will share: close them where environ has "
            "gunwale.warmup, or after the fork (os.register_at_fork).", len(left), ", ".join(left)
        )


def _ask_often(app, cfg, target):
    until = time.monotonic() + PATH_SECONDS
    for done in range(1, ROUNDS + 1):
        status = _ask(app, _make_environ(cfg, target))
        if not status.startswith("2"):
            raise _BadAnswer(f"the answer is {status}")
        if time.monotonic() >= until:
            break
    return done


def _ask(app, environ):
    """The status. Bodies without an end are left."""
    answer = []

    def start_response(status, headers, exc_info=None):
        answer[:] = [status]
        return lambda data: None

    body = app(environ, start_response)
    try:
        size = 0
        for piece in body:
            size += len(piece)
            if size > BODY_MAX:
                break
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    if not answer:
        raise _BadAnswer("the application did not call start_response()")
    return answer[0]


def _make_environ(cfg, target):
    """A GET of our own; gunwale.warmup tells the application that nobody is there."""
    url = urlsplit(target)
    scheme = url.scheme or "http"
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": (url.path or "/") + ("?" + url.query if url.query else ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": str(url.port or (443 if scheme == "https" else 80)),
        "SERVER_SOFTWARE": os.environ.get("SERVER_SOFTWARE", "gunwale"),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "HTTP_HOST": url.netloc or "localhost",
        "HTTP_USER_AGENT": "gunwale-warmup",
        "HTTP_ACCEPT": "*/*",
        "gunwale.warmup": True,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.multithread": (cfg.get("threads") or 1) > 1,
        "wsgi.multiprocess": (cfg.get("workers") or 1) > 1,
        "wsgi.run_once": False,
    }


def _connections():
    """{identity of the socket: its peer} of the streams that this process has open to somebody."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            link = os.readlink(f"/proc/self/fd/{name}")
            if link.startswith("socket:"):
                with socket.socket(fileno=os.dup(int(name))) as copy:
                    if copy.type == socket.SOCK_STREAM:
                        found[link] = _shown(copy.getpeername())
    return found


def _shown(peer):
    if isinstance(peer, tuple):
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
    return os.fsdecode(peer) or "a unix socket"
