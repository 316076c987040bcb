# SPDX-License-Identifier: MIT
"""The incidents: where they are, and the options of the server that such an application is run with."""

import pathlib

TOP = pathlib.Path(__file__).resolve().parent.parent

# Both servers get the same. What gunicorn offers against memory that grows:
COMMON = ["--workers", "2", "--max-requests", "1000", "--max-requests-jitter", "100"]

OPTIONS = {
    "01-streaming-proxy": ["-k", "gevent"],
    "02-forgotten-connection": ["-k", "gthread", "--threads", "4"],
    "03-short-ttl": ["-k", "gthread", "--threads", "4"],
    "04-growing-state": ["-k", "gthread", "--threads", "4"],
    "05-user-url": ["-k", "gthread", "--threads", "4"],
    "06-whole-table": ["-k", "sync"],
    "07-limiter-memory": ["-k", "gevent"],
    "08-fast-growth": ["-k", "gthread", "--threads", "4"],
    "09-which-memory": ["-k", "gevent"],
}

# A second of the load of 03 is ten seconds of life.
ENVIRONMENT = {"03-short-ttl": {"TTL": "1"}}


def find(name):
    """The folder of an incident by its number, its name or both; None when there is no such."""
    for known in OPTIONS:
        if name.rstrip("/") in (known, known[:2], known[3:]):
            return TOP / known
    return None


def server_options(folder):
    return COMMON + OPTIONS[folder.name]
