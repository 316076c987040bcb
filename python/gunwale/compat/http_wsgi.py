# SPDX-License-Identifier: MIT
"""gunicorn.http.wsgi: the class of the `resp` that hooks get."""

from gunwale.reqhooks import Response

__all__ = ["Response"]
