# SPDX-License-Identifier: MIT
"""Configuration of gunicorn for bench/memory.py: its master asks the application before it forks, as gunwale's --warmup-path does."""

import wsgiref.util


def when_ready(server):
    for _ in range(10):
        environ = {}
        wsgiref.util.setup_testing_defaults(environ)
        body = server.app.wsgi()(environ, lambda status, headers, exc_info=None: None)
        b"".join(body)
        getattr(body, "close", lambda: None)()
