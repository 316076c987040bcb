# SPDX-License-Identifier: MIT
"""gunicorn.workers.base, .sync and .gthread: the class of the `worker` that hooks get, and names for worker_class."""

from gunwale.proxies import Worker

__all__ = ["SyncWorker", "ThreadWorker", "Worker"]


class SyncWorker(Worker):
    """worker_class = SyncWorker"""


class ThreadWorker(Worker):
    """worker_class = ThreadWorker"""
