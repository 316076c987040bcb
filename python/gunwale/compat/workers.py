# SPDX-License-Identifier: MIT
"""gunicorn.workers.base, .sync and .gthread: the class of the `worker` that hooks get, for isinstance() and type hints."""

from gunwale.proxies import Worker

__all__ = ["SyncWorker", "ThreadWorker", "Worker"]

SyncWorker = ThreadWorker = Worker
