# SPDX-License-Identifier: MIT
"""gunicorn.workers.base and its neighbours: the class of the `worker` that hooks get, and names for worker_class."""

from gunwale.proxies import Worker

__all__ = ["AsyncWorker", "GeventPyWSGIWorker", "GeventWorker", "SyncWorker", "ThreadWorker", "Worker"]


class SyncWorker(Worker):
    """worker_class = SyncWorker"""


class ThreadWorker(Worker):
    """worker_class = ThreadWorker"""


class AsyncWorker(Worker):
    """For isinstance() and annotations."""


class GeventWorker(AsyncWorker):
    """worker_class = GeventWorker"""


class GeventPyWSGIWorker(GeventWorker):
    """worker_class = GeventPyWSGIWorker"""
