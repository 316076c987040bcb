# SPDX-License-Identifier: MIT
"""The module `gunicorn`: SERVER and SERVER_SOFTWARE may be set to other texts in a configuration file."""

from gunwale.compat import SERVER, SERVER_SOFTWARE

__all__ = ["SERVER", "SERVER_SOFTWARE", "__version__", "version_info"]

# The gunicorn whose settings and behaviour are followed, for those who compare.
version_info = (26, 1, 0)
__version__ = ".".join(map(str, version_info))
