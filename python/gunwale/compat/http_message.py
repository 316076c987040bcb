# SPDX-License-Identifier: MIT
"""gunicorn.http.message: the class of the `req` that hooks get."""

from gunwale.reqhooks import Request

__all__ = ["Request"]
