# SPDX-License-Identifier: MIT
"""logconfig, logconfig_dict and logconfig_json: Python's own logging configuration, over gunicorn's defaults."""

import json
import os

ERROR_FORMAT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT = "[%Y-%m-%d %H:%M:%S %z]"


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
        "generic": {"format": ERROR_FORMAT, "datefmt": DATE_FORMAT, "class": "logging.Formatter"},
    },
}

_MISTAKES = (AttributeError, ImportError, ValueError, TypeError)


def _use_dict(given):
    import logging.config  # costs a cold start some milliseconds

    try:
        logging.config.dictConfig({**CONFIG_DEFAULTS, **given})
    except _MISTAKES as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        raise RuntimeError(f"{error}{cause}") from error


def _use_json(path):
    if not os.path.exists(path):
        return
    try:
        with open(path, encoding="utf-8") as file:
            given = json.load(file)
    except (OSError, ValueError) as error:
        raise RuntimeError(f"log config '{path}' is not readable: {error}") from error
    if not isinstance(given, dict):
        raise RuntimeError(f"log config '{path}' holds no JSON object")
    _use_dict(given)


def _use_ini(path):
    if not os.path.exists(path):
        raise RuntimeError(f"Error: log config '{path}' not found")
    import logging.config

    defaults = {**CONFIG_DEFAULTS, "__file__": path, "here": os.path.dirname(path)}
    try:
        logging.config.fileConfig(path, defaults=defaults, disable_existing_loggers=False)
    except (*_MISTAKES, KeyError, RuntimeError) as error:
        raise RuntimeError(f"log config '{path}': {error}") from error


def apply(cfg):
    """The first of the three that is set; RuntimeError with a sentence when it is broken."""
    if cfg.get("logconfig_dict"):
        _use_dict(cfg.get("logconfig_dict"))
    elif cfg.get("logconfig_json"):
        _use_json(cfg.get("logconfig_json"))
    elif cfg.get("logconfig"):
        _use_ini(cfg.get("logconfig"))


def is_set(cfg):
    return any(cfg.get(name) for name in ("logconfig_dict", "logconfig_json", "logconfig"))
