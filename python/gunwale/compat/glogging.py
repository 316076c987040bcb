# SPDX-License-Identifier: MIT
"""gunicorn.glogging: a Logger to derive from, and the dictionary that logconfig_dict extends."""

import logging

from gunwale import applog

__all__ = ["CONFIG_DEFAULTS", "Logger", "logging"]


def _logger(name, handler):
    return {"level": "INFO", "handlers": [handler], "propagate": True, "qualname": name}


def _handler(stream):
    return {"class": "logging.StreamHandler", "formatter": "generic", "stream": f"ext://sys.{stream}"}


CONFIG_DEFAULTS = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        "gunicorn.error": _logger("gunicorn.error", "error_console"),
        "gunicorn.access": _logger("gunicorn.access", "console"),
    },
    "handlers": {"console": _handler("stdout"), "error_console": _handler("stderr")},
    "formatters": {
        "generic": {"format": applog.ERROR_FORMAT, "datefmt": applog.DATE_FORMAT, "class": "logging.Formatter"},
    },
}


class Logger(applog.Log):
    """What server.log is, made from the settings as gunicorn makes it."""

    def __init__(self, cfg):
        super().__init__()
        self.setup(cfg)
