# SPDX-License-Identifier: MIT
"""The logger: what hooks know as server.log and worker.log, and what a logger_class derives from (gunicorn.glogging.Logger).

As long as nobody changes how it writes (see logchoice.py) gunwale's own lines come from C, in the same format, to the same
place. Applications share the handlers of gunicorn.error, so there are always real handlers, marked with _gunicorn = True.
"""

import base64
import binascii
import json
import logging
import os
import sys
import threading
import time
import traceback

import _gunwale

from gunwale import logconfig

ERROR_FORMAT = logconfig.ERROR_FORMAT
ACCESS_FORMAT = "%(message)s"
DATE_FORMAT = logconfig.DATE_FORMAT
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

LEVELS = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}

# What ends a line or steers a terminal.
_CONTROLS = {number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0xA0))}
_SAFE = {ord('"'): '\\"', **_CONTROLS}


class SafeAtoms(dict):
    """The values of one access line: quotes and control characters escaped, `-` for what is not there."""

    def __init__(self, atoms):
        super().__init__()
        for name, value in atoms.items():
            self[name] = value.translate(_SAFE) if isinstance(value, str) else value

    def __getitem__(self, name):
        return self.get(name.lower() if name.startswith("{") else name, "-")


class JsonFormatter(logging.Formatter):
    """One object a line, as C writes them."""

    def format(self, record):
        moment = time.localtime(record.created)
        offset = time.strftime("%z", moment)
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", moment) + offset[:3] + ":" + offset[3:],
            "pid": record.process,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class _Outlet:
    """Mixed into handlers: a line leaves through C, which never waits for a reader and counts what it drops."""

    def send(self, record):
        write = _gunwale.access_raw if self.is_access else _gunwale.log_raw
        try:
            write((self.format(record) + self.terminator).encode("utf-8", "backslashreplace"))
        except Exception:
            self.handleError(record)


class _StreamHandler(_Outlet, logging.StreamHandler):
    def __init__(self, stream, is_access):
        super().__init__(stream)
        self.usual_stream = stream
        self.is_access = is_access

    def emit(self, record):
        if self.stream is self.usual_stream:
            self.send(record)
        else:
            super().emit(record)


class _FileHandler(_Outlet, logging.FileHandler):
    """The file is C's, which also opens it again."""

    def __init__(self, path, is_access):
        super().__init__(path, delay=True)
        self.is_access = is_access

    def emit(self, record):
        self.send(record)


def _check_writable(path):
    try:
        # Not a second time while a reader of a FIFO may be missing.
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise RuntimeError(f"Error: '{path}' isn't writable [{error!r}]") from error


def check_files(cfg):
    """RuntimeError with gunicorn's sentence when the error log or the access log is not writable."""
    for path in (cfg.get("errorlog"), cfg.get("accesslog")):
        if path and path != "-":
            _check_writable(path)


def _give_file(path, cfg):
    """Workers open the file again later, as another user."""
    if os.geteuid() != 0:
        return
    user, group = cfg.get("user"), cfg.get("group")
    if (user or group) and os.path.isfile(path):
        os.chown(path, user or -1, group or -1)


def wants_access(cfg):
    """Whether there is an access log at all."""
    return bool(
        cfg.get("accesslog")
        or cfg.get("logconfig")
        or cfg.get("logconfig_dict")
        or cfg.get("logconfig_json")
        or (cfg.get("syslog") and not cfg.get("disable_redirect_access_to_syslog"))
    )


class Logger:
    LOG_LEVELS = LEVELS
    loglevel = logging.INFO
    error_fmt = ERROR_FORMAT
    access_fmt = ACCESS_FORMAT
    datefmt = DATE_FORMAT
    syslog_fmt = "[%(process)d] %(message)s"
    atoms_wrapper_class = SafeAtoms

    def __init__(self, cfg):
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.error_log.propagate = self.access_log.propagate = False
        self.error_handlers = []
        self.access_handlers = []
        self.logfile = None
        self.lock = threading.Lock()
        self.cfg = cfg
        self.setup(cfg)

    def setup(self, cfg):
        """Makes handlers as the settings say; RuntimeError with gunicorn's sentence when a file is not writable."""
        self.loglevel = LEVELS.get(str(cfg.get("loglevel")).lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)
        self._set_handler(self.error_log, cfg.get("errorlog") or "-", logging.Formatter(self.error_fmt, self.datefmt))
        if cfg.get("accesslog"):
            fmt = logging.Formatter(self.access_fmt)
            self._set_handler(self.access_log, cfg.get("accesslog"), fmt, stream=sys.stdout)
        if cfg.get("syslog"):
            self._set_syslog_handler(self.error_log, cfg, self.syslog_fmt, "error")
            if not cfg.get("disable_redirect_access_to_syslog"):
                self._set_syslog_handler(self.access_log, cfg, self.syslog_fmt, "access")
        logconfig.apply(cfg)

    # the error log

    def critical(self, msg, *args, **kwargs):
        self.error_log.critical(msg, *args, **kwargs)

    def error(self, msg, *args, **kwargs):
        self.error_log.error(msg, *args, **kwargs)

    def warning(self, msg, *args, **kwargs):
        self.error_log.warning(msg, *args, **kwargs)

    def info(self, msg, *args, **kwargs):
        self.error_log.info(msg, *args, **kwargs)

    def debug(self, msg, *args, **kwargs):
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg, *args, **kwargs):
        self.error_log.exception(msg, *args, **kwargs)

    def log(self, lvl, msg, *args, **kwargs):
        if isinstance(lvl, str):
            lvl = LEVELS.get(lvl.lower(), logging.INFO)
        self.error_log.log(lvl, msg, *args, **kwargs)

    # the access log

    def atoms(self, resp, req, environ, request_time):
        """What an access line may say, by the names of access_log_format."""
        status = resp.status
        if isinstance(status, str):
            status = status.split(None, 1)[0] if status.strip() else "-"
        sent = getattr(resp, "sent", None)
        microseconds = request_time.seconds * 1000000 + request_time.microseconds
        atoms = {
            "h": environ.get("REMOTE_ADDR", "-"),
            "l": "-",
            "u": self._get_user(environ) or "-",
            "t": self.now(),
            "r": f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}",
            "s": status,
            "m": environ.get("REQUEST_METHOD"),
            "U": environ.get("PATH_INFO"),
            "q": environ.get("QUERY_STRING"),
            "H": environ.get("SERVER_PROTOCOL"),
            "b": str(sent) if sent is not None else "-",
            "B": sent,
            "f": environ.get("HTTP_REFERER", "-"),
            "a": environ.get("HTTP_USER_AGENT", "-"),
            "T": request_time.seconds,
            "D": microseconds,
            "M": microseconds // 1000,
            "L": f"{request_time.seconds}.{request_time.microseconds:06d}",
            "p": f"<{os.getpid()}>",
        }
        for fields, letter in ((getattr(req, "headers", req), "i"), (resp.headers, "o"), (environ, "e")):
            pairs = fields.items() if hasattr(fields, "items") else fields
            atoms.update({f"{{{str(name).lower()}}}{letter}": value for name, value in pairs})
        return atoms

    def access(self, resp, req, environ, request_time):
        """One line for one request."""
        if not wants_access(self.cfg):
            return
        atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
        try:
            self.access_log.info(self.cfg.get("access_log_format"), atoms)
        except Exception:
            self.error(traceback.format_exc())

    def now(self):
        moment = time.localtime()
        text = time.strftime(f"[%d/{MONTHS[moment.tm_mon - 1]}/%Y:%H:%M:%S %z]", moment)
        return text

    def _get_user(self, environ):
        scheme, _, text = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, _password = base64.b64decode(text.strip().encode("utf-8")).partition(b":")
            return user.decode("utf-8", "replace") if colon else None
        except (binascii.Error, ValueError) as error:
            self.debug("Couldn't get username: %s", error)
            return None

    # files

    def reopen_files(self):
        reopen_files()

    def close_on_exec(self):
        for logger in loggers():
            for handler in logger.handlers:
                stream = getattr(handler, "stream", None)
                if isinstance(handler, logging.FileHandler) and stream is not None:
                    os.set_inheritable(stream.fileno(), False)

    # handlers

    def _get_gunicorn_handler(self, log):
        for handler in log.handlers:
            if getattr(handler, "_gunicorn", False):
                return handler
        return None

    def _set_handler(self, log, output, fmt, stream=None):
        old = self._get_gunicorn_handler(log)
        if old is not None:
            log.removeHandler(old)
        if output is None:
            return
        is_access = log is self.access_log
        if output == "-":
            handler = _StreamHandler(stream or sys.stderr, is_access)
        else:
            _check_writable(output)
            _give_file(output, self.cfg)
            handler = _FileHandler(output, is_access)
        if self.cfg.get("log_format") == "json":
            fmt = JsonFormatter()
        handler.setFormatter(fmt)
        handler._gunicorn = True
        handler._usual_formatter = fmt  # see logchoice.py
        log.addHandler(handler)

    def _set_syslog_handler(self, log, cfg, fmt, name):
        from gunwale import syslog  # logging.handlers costs a cold start some milliseconds

        prefix = cfg.get("syslog_prefix") or cfg.proc_name.replace(":", ".")
        handler = syslog.Handler(cfg.get("syslog_addr"), cfg.get("syslog_facility"))
        handler.setFormatter(logging.Formatter(f"gunicorn.{prefix.replace('%', '%%')}.{name}: {fmt}"))
        handler._gunicorn = True
        log.addHandler(handler)


def loggers():
    """Every logger of the process; the root one, too."""
    found = [logging.getLogger()]
    found += [one for one in list(logging.Logger.manager.loggerDict.values()) if isinstance(one, logging.Logger)]
    return found


def reopen_files():
    """Opens the file of every FileHandler in the process again; gunicorn does so with the application's own as well."""
    for logger in loggers():
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
