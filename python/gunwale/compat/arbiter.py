# SPDX-License-Identifier: MIT
"""gunicorn.arbiter: the class of the `server` that hooks get."""

from gunwale.proxies import Server as Arbiter

__all__ = ["Arbiter"]
