# SPDX-License-Identifier: MIT
"""pre_request and post_request: the `req` and `resp` objects they get, with gunicorn's names.

Called by src/py/reqhooks.c for each request, and only when the configuration file defines one of the two hooks.
"""

import datetime

from gunwale import hooks


class Request:
    """What gunicorn's hooks know as `req`. Its list of headers may be changed by pre_request."""

    proxy_protocol_info = None

    def __init__(self, cfg, environ, headers, number):
        self.cfg = cfg
        self.method = environ["REQUEST_METHOD"]
        self.uri = environ["RAW_URI"]
        target, _, self.fragment = self.uri.partition("#")
        self.path = target.partition("?")[0]
        if not self.path.startswith(("/", "*")):
            self.path = "/" + self.path.partition("://")[2].partition("/")[2]
        self.query = environ["QUERY_STRING"]
        major, minor = environ["SERVER_PROTOCOL"].removeprefix("HTTP/").split(".")
        self.version = (int(major), int(minor))
        self.headers = [(name.upper(), value) for name, value in headers]
        self.body = environ["wsgi.input"]
        self.scheme = environ["wsgi.url_scheme"]
        self.remote_addr = self.peer_addr = _find_peer(environ)
        self.trailers = []
        self.must_close = False
        self.req_number = number

    def force_close(self):
        self.must_close = True

    def should_close(self):
        """What the first Connection field asks for, if it is one plain word; else what the version does by itself."""
        wish = next((value.strip(" \t").lower() for name, value in self.headers if name == "CONNECTION"), None)
        if self.must_close or wish == "close":
            return True
        return wish != "keep-alive" and self.version < (1, 1)


class Response:
    """What gunicorn's hooks know as `resp`, when all is sent."""

    version = "gunwale"

    def __init__(self, req, status, fields, sent, is_chunked, must_close):
        self.req = req
        self.cfg = req.cfg
        self.status = status
        code = status.partition(" ")[0]
        self.status_code = int(code) if code.isdigit() else None
        self.headers = [tuple(line.split(": ", 1)) for line in fields.split("\r\n") if line]
        lengths = [value for name, value in self.headers if name.lower() == "content-length"]
        self.response_length = int(lengths[0]) if lengths else None
        self.sent = sent
        self.chunked = is_chunked
        self.must_close = must_close
        self.headers_sent = True
        self.upgrade = False

    def should_close(self):
        return self.must_close or self.req.should_close()


def _find_peer(environ):
    if "REMOTE_PORT" in environ:
        return (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]))
    return ""


def _take_over_headers(environ, headers):
    """The environ as if the client had sent these headers."""
    for key in [key for key in environ if key.startswith("HTTP_")]:
        del environ[key]
    for name, value in headers:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
            value = f"{environ[key]},{value}" if key in environ else value
        environ[key] = value


def _bytes(text):
    return str(text).encode("latin-1", "replace")


def begin(worker, environ, headers, number):
    """
    Runs pre_request. Returns the Request for end(), and the header fields as bytes when the hook has changed them. Exceptions
    become a 500, as in gunicorn.
    """
    req = Request(worker.cfg, environ, headers, number)
    before = list(req.headers)
    try:
        hooks.call("pre_request", worker, req)
    except BaseException:
        # gunicorn: post_request is called nevertheless, before the error page, with nothing in its hands.
        try:
            hooks.call("post_request", worker, req, {}, None)
        except Exception:
            worker.log.exception("Exception in post_request hook")
        raise
    if req.headers == before:
        return req, None
    _take_over_headers(environ, req.headers)
    return req, tuple((_bytes(name), _bytes(value)) for name, value in req.headers)


def end(worker, req, environ, status, fields, sent, is_chunked, must_close):
    """Runs post_request. Exceptions are logged by the caller."""
    resp = Response(req, status, fields, sent, is_chunked, must_close) if status else None
    hooks.call("post_request", worker, req, environ, resp)


def access(worker, log, req, headers, environ, status, fields, sent, is_chunked, must_close, microseconds):
    """One line of the access log, by a logger that is not C."""
    if req is None:
        req = Request(worker.cfg, environ, headers, 0)
    resp = Response(req, status, fields, sent, is_chunked, must_close)
    log.access(resp, req, environ, datetime.timedelta(microseconds=microseconds))


def is_wanted():
    """Whether begin() and end() shall be called at all."""
    return any(hooks.find(name) is not None for name in ("pre_request", "post_request"))
