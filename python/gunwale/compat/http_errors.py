# SPDX-License-Identifier: MIT
"""gunicorn.http.errors: what applications catch around wsgi.input."""

__all__ = ["NoMoreData", "ParseException"]


class ParseException(Exception):
    """A request is malformed."""


class NoMoreData(OSError):
    """The client sent less than it said."""

    def __init__(self, buf=None):
        super().__init__()
        self.buf = buf

    def __str__(self):
        return f"No more data after: {self.buf!r}"
