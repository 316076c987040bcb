# SPDX-License-Identifier: MIT
"""gunicorn.util: what others call of it."""

from gunwale.apploader import load as import_app

__all__ = ["import_app"]
