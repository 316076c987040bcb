# SPDX-License-Identifier: MIT
"""Which logger there is, and whether C may go on writing its lines itself.

C does so as long as the lines could not come out differently: the logger is ours, and nobody has put a handler, a filter, a
formatter or a level of his own onto gunicorn.error or gunicorn.access. src/py/pylog.c asks choose().
"""

import importlib
import inspect
import logging
import sys
import threading
import traceback

from gunwale import applog, logconfig, statsdlog

DEFAULT = "gunicorn.glogging.Logger"
STATSD = "gunicorn.instrument.statsd.Statsd"
ALIASES = {"simple": DEFAULT}
_NAMES = ("debug", "info", "warning", "error", "critical")  # by enum log_level of C
# Methods from here are known to ask the level of gunicorn.error first.
_KNOWN_MODULES = frozenset({"gunwale.applog", "gunwale.statsdlog", "gunicorn.glogging", "gunicorn.instrument.statsd"})


class _State:
    log = None


def _load_class(text):
    name, dot, attribute = text.rpartition(".")
    try:
        if not dot:
            raise ImportError(f"No module named {text!r}")
        return getattr(importlib.import_module(name), attribute)
    except Exception as error:
        raise RuntimeError(
            f"class uri {text!r} invalid or not found: \n\n[{traceback.format_exc().rstrip()}]"
        ) from error


def _find_class(cfg):
    wanted = cfg.get("logger_class") or DEFAULT
    if inspect.isfunction(wanted) or inspect.ismethod(wanted):
        wanted = wanted()
    if isinstance(wanted, str):
        wanted = ALIASES.get(wanted, wanted).removeprefix("egg:gunicorn#")
        wanted = ALIASES.get(wanted, wanted)
    elif wanted is applog.Logger or (
        isinstance(wanted, type) and (wanted.__module__, wanted.__name__) == ("gunicorn.glogging", "Logger")
    ):
        wanted = DEFAULT
    if wanted == DEFAULT:
        return statsdlog.Statsd if cfg.get("statsd_host") else applog.Logger
    if wanted == STATSD:
        return statsdlog.Statsd
    return _load_class(wanted) if isinstance(wanted, str) else wanted


def make(cfg):
    """The logger as the settings want it. RuntimeError with a sentence."""
    logger_class = _find_class(cfg)
    install = getattr(logger_class, "install", None)
    if install is not None:
        install()
    log = logger_class(cfg)
    atoms = getattr(log, "atoms_wrapper_class", None)
    if getattr(atoms, "__module__", "") == "gunicorn.glogging":
        log.atoms_wrapper_class = applog.SafeAtoms  # gunicorn's lets control characters through
    _State.log = log
    return log


def sends_statsd_itself(log):
    """A logger made from gunicorn's own statsd class has its own socket."""
    return any(one.__module__ == "gunicorn.instrument.statsd" for one in type(log).__mro__)


def _is_ours(log):
    return type(log) in (applog.Logger, statsdlog.Statsd)


def _is_untouched(logger, level, has_handler):
    if logger.filters or logger.disabled or logger.propagate or logger.level != level:
        return False
    if logging.root.manager.disable >= level or len(logger.handlers) != has_handler:
        return False
    for handler in logger.handlers:
        usual = getattr(handler, "_usual_formatter", None)
        if usual is None or handler.formatter is not usual or handler.filters or handler.level:
            return False
        if handler.stream is not getattr(handler, "usual_stream", None):
            return False
    return True


def _lowest_level(log):
    """What C has to hand over: 0 debug ... 4 critical."""
    for name in _NAMES:
        method = getattr(type(log), name, None)
        if getattr(method, "__module__", None) not in _KNOWN_MODULES:
            return 0
    level = getattr(log, "error_log", logging.getLogger("gunicorn.error")).getEffectiveLevel()
    return sum(level > one for one in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR))


def _wants_errors(log, is_configured):
    return not _is_ours(log) or is_configured or not _is_untouched(log.error_log, log.loglevel, 1)


def _wants_access(log, is_configured):
    has_access = applog.wants_access(log.cfg)
    if not _is_ours(log):
        is_known = getattr(type(log).access, "__module__", None) in _KNOWN_MODULES and not sends_statsd_itself(log)
        return has_access or not is_known
    if not has_access:
        return False
    return is_configured or not _is_untouched(log.access_log, logging.INFO, 1)


def choose():
    """(logger for error lines or None, lowest level, logger for access lines or None, does that one send metrics)."""
    log = _State.log
    if log is None:
        return None, 0, None, False
    if not hasattr(log, "cfg"):  # a class that is no subclass of anything
        return log, 0, log, False
    is_configured = logconfig.is_set(log.cfg) or bool(log.cfg.get("syslog"))
    errors = log if _wants_errors(log, is_configured) else None
    access = log if _wants_access(log, is_configured) else None
    return errors, _lowest_level(log), access, isinstance(log, statsdlog.Statsd)


def write_to_streams(text):
    """wsgi.errors, beside the error log: the handlers that somebody else has put onto gunicorn.error get the bare text."""
    is_stderr = _State.log.cfg.get("errorlog") == "-" if hasattr(_State.log, "cfg") else True
    handlers = logging.getLogger("gunicorn.error").handlers
    for handler in handlers[1:] if is_stderr else list(handlers):  # gunicorn: the first one is taken for that of stderr
        stream = getattr(handler, "stream", None)
        if stream is None or getattr(handler, "_gunicorn", False) or (is_stderr and stream is sys.stderr):
            continue
        handler.acquire()
        try:
            stream.write(text)
        except UnicodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        finally:
            handler.release()
        handler.flush()


def write(log, level, text):
    """A line of C's own."""
    getattr(log, _NAMES[level])(text)


def write_exception(log, level, text):
    """Called with the exception as the one that is being handled."""
    if level == 3:
        log.exception(text)
    else:
        getattr(log, _NAMES[level])(text, exc_info=True)


def relay(log, level, text, pid, seconds):
    """A line of the master's, with the master's pid and time."""
    usual = logging.getLogRecordFactory()
    here = threading.get_ident()

    def make_record(*args, **kwargs):
        record = usual(*args, **kwargs)
        if threading.get_ident() != here:  # a thread of a server hook logs just now, as the template
            return record
        record.process = pid
        record.created = seconds
        record.msecs = int((seconds - int(seconds)) * 1000)
        return record

    logging.setLogRecordFactory(make_record)
    try:
        write(log, level, text)
    finally:
        logging.setLogRecordFactory(usual)


def report_failure(what):
    """The logger itself raised: to stderr, where it can do no harm."""
    print(f"{what}:\n{traceback.format_exc()}", end="", file=sys.stderr, flush=True)
