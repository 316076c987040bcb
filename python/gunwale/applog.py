# SPDX-License-Identifier: MIT
"""The Python loggers gunicorn.error and gunicorn.access, as applications and hooks expect to find them.

Flask applications share the handlers of gunicorn.error, so these are real handlers, marked with _gunicorn = True.
gunwale's own lines come from C, in the same format, to the same place.
"""

import logging
import os
import sys

import _gunwale

ERROR_FORMAT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
ACCESS_FORMAT = "%(message)s"
DATE_FORMAT = "[%Y-%m-%d %H:%M:%S %z]"

LEVELS = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}


class _StderrHandler(logging.StreamHandler):
    """Writes through C, which never blocks on a pipe that nobody reads."""

    def emit(self, record):
        if self.stream is not sys.__stderr__:
            super().emit(record)
            return
        try:
            text = self.format(record) + self.terminator
            _gunwale.log_raw(text.encode("utf-8", "backslashreplace"))
        except Exception:
            self.handleError(record)


def _check_writable(path):
    try:
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as error:
        raise RuntimeError(f"Error: '{path}' isn't writable [{error!r}]") from error


def _give_file(path, cfg):
    """Workers open the file again later, as another user."""
    if os.geteuid() != 0:
        return
    user, group = cfg.get("user"), cfg.get("group")
    if (user or group) and os.path.isfile(path):
        os.chown(path, user or -1, group or -1)


def _set_handler(logger, output, text_format, stream, cfg):
    for handler in list(logger.handlers):
        if getattr(handler, "_gunicorn", False):
            logger.removeHandler(handler)
    if not output:
        return
    if output == "-":
        handler = _StderrHandler(stream) if stream is sys.stderr else logging.StreamHandler(stream)
    else:
        _check_writable(output)
        _give_file(output, cfg)
        handler = logging.FileHandler(output)
    handler.setFormatter(logging.Formatter(text_format, DATE_FORMAT))
    handler._gunicorn = True
    logger.addHandler(handler)


class Log:
    """What hooks know as server.log and worker.log."""

    LOG_LEVELS = LEVELS
    error_fmt = ERROR_FORMAT
    access_fmt = ACCESS_FORMAT
    datefmt = DATE_FORMAT

    def __init__(self):
        self.cfg = None
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.loglevel = logging.INFO

    def setup(self, cfg):
        """Opens what the settings say; RuntimeError with gunicorn's sentence when a file is not writable."""
        self.cfg = cfg
        self.loglevel = LEVELS.get(str(cfg.get("loglevel")).lower(), logging.INFO)
        for logger, level in ((self.error_log, self.loglevel), (self.access_log, logging.INFO)):
            logger.propagate = False
            logger.setLevel(level)
        _set_handler(self.error_log, cfg.get("errorlog") or "-", ERROR_FORMAT, sys.stderr, cfg)
        _set_handler(self.access_log, cfg.get("accesslog"), ACCESS_FORMAT, sys.stdout, cfg)

    def critical(self, message, *args, **kwargs):
        self.error_log.critical(message, *args, **kwargs)

    def error(self, message, *args, **kwargs):
        self.error_log.error(message, *args, **kwargs)

    def warning(self, message, *args, **kwargs):
        self.error_log.warning(message, *args, **kwargs)

    def info(self, message, *args, **kwargs):
        self.error_log.info(message, *args, **kwargs)

    def debug(self, message, *args, **kwargs):
        self.error_log.debug(message, *args, **kwargs)

    def exception(self, message, *args, **kwargs):
        self.error_log.exception(message, *args, **kwargs)

    def log(self, level, message, *args, **kwargs):
        if isinstance(level, str):
            level = LEVELS.get(level.lower(), logging.INFO)
        self.error_log.log(level, message, *args, **kwargs)

    def reopen_files(self):
        reopen_files()


def _loggers():
    yield logging.getLogger()
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def reopen_files():
    """Opens the file of every FileHandler in the process again; gunicorn does so with the application's own as well."""
    for logger in _loggers():
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                continue
            handler.acquire()
            try:
                old, handler.stream = handler.stream, None
                if old is not None:
                    old.close()
                    handler.stream = handler._open()
            finally:
                handler.release()
