# SPDX-License-Identifier: MIT
"""The basic application behind the standard library's WSGI checker; any breach of PEP 3333 is a 500 with a traceback."""

import warnings
from wsgiref.validate import validator

import basic

warnings.simplefilter("error")  # the checker only warns of some things


def plain(environ, start_response):
    # The checker wants Content-Type, no matter which status, and no hop-by-hop headers: take what fits.
    return iter_of(basic.app(environ, start_response))


class iter_of:
    """The checker wants iterables that are not strings, and calls close once."""

    def __init__(self, inner):
        self.inner = inner
        self.iterator = iter(inner)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.iterator)

    def close(self):
        if hasattr(self.inner, "close"):
            self.inner.close()


app = validator(plain)
