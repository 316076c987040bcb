# SPDX-License-Identifier: MIT
"""gunicorn.app.base."""

from gunwale.app.base import Application, BaseApplication

__all__ = ["Application", "BaseApplication"]
