# SPDX-License-Identifier: MIT
"""gunicorn.app.wsgiapp."""

from gunwale.app.wsgiapp import WSGIApplication, run

__all__ = ["WSGIApplication", "run"]
