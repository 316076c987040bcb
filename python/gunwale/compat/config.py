# SPDX-License-Identifier: MIT
"""gunicorn.config: the class of `server.cfg`, and where a configuration file is looked for."""

import os

from gunwale.conffile import DEFAULT
from gunwale.proxies import Config

__all__ = ["Config", "get_default_config_file"]


def get_default_config_file():
    path = os.path.join(os.path.abspath(os.getcwd()), os.path.basename(DEFAULT))
    return path if os.path.exists(path) else None
