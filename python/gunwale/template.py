# SPDX-License-Identifier: MIT
"""The template's steps, called by src/worker/template.c: configuration, preparation, application, server hooks.

Each answers (exit code, text): GO_ON and what was asked for, or the code and the text that the master ends with.
"""

import contextlib
import functools
import gc
import importlib
import json
import logging
import os
import sys
import threading
import traceback

import _gunwale

from gunwale import apploader, applog, compat, conffile, ending, hooks, logchoice, proxies, reloader, tls

GO_ON = -1
RAISED = 256  # no exit code: a server hook raised
SERVE, CHECK = 0, 1


class _State:
    """What one template holds between its steps."""

    server = None
    cfg = None
    log = None
    has_hook_threads = False  # on_starting or when_ready has started some: this template stays until the server ends
    is_over = False  # a hook of the start failed: the master ends


def printable(text):
    """Text that C and the link can carry: names of files may hold what is no UTF-8, messages may hold NUL."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _step(function):
    """No exception leaves a step."""

    @functools.wraps(function)
    def run(*args):
        try:
            text = function(*args)
            return GO_ON, text or ""
        except conffile.ConfigError as error:
            return error.exit_code, printable(str(error))
        except SystemExit as leaving:
            return _exit_code(leaving)
        except BaseException:
            return 1, printable(traceback.format_exc().rstrip("\n"))

    return run


def _hook_step(function):
    """The same for server hooks, where sys.exit() is not the template's end but the server's."""

    @functools.wraps(function)
    def run(*args):
        try:
            function(*args)
            return GO_ON, ""
        except SystemExit as leaving:
            return _exit_code(leaving)
        except BaseException:
            return RAISED, printable(traceback.format_exc().rstrip("\n"))

    return run


def _exit_code(leaving):
    """What Python itself would do with a SystemExit: a code, or a text and 1."""
    code = leaving.code
    if code is None:
        return 0, ""
    if isinstance(code, int):
        return code & 0xFF, ""
    return 1, printable(str(code))


@_step
def configure(launch_text):
    launch = json.loads(launch_text)
    sys.argv = list(launch["argv"])
    directory = launch.get("cwd") or os.getcwd()
    reloader.begin(directory)
    compat.install()
    if os.path.exists(os.path.join(directory, "gunicorn.py")):
        # Most likely the configuration file itself; the package is gunicorn's, as it is when gunicorn runs.
        with contextlib.suppress(Exception):
            importlib.import_module("gunicorn")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    text = conffile.read(launch.get("config"), launch["names"])
    # What the file printed comes before what the master prints next.
    sys.stdout.flush()
    sys.stderr.flush()
    return text


def _set_up_paths(cfg):
    try:
        apploader.set_environment(cfg.get("raw_env") or [])
        if cfg.get("chdir"):
            apploader.enter_directory(cfg.get("chdir"))
        if cfg.get("pythonpath"):
            apploader.add_paths(cfg.get("pythonpath"))
    except RuntimeError as error:
        raise conffile.ConfigError(f"\nError: {error}") from error


def _check_logs(cfg):
    """Before C opens them: gunicorn's sentence."""
    try:
        applog.check_files(cfg)
    except RuntimeError as error:
        raise conffile.ConfigError(f"\nError: {error}") from error


@_step
def prepare(settings_text, app_name, purpose, listeners):
    if not app_name:
        raise conffile.ConfigError("\nError: No application module specified.")
    cfg = proxies.Config(json.loads(settings_text), app_name)
    os.environ["SERVER_SOFTWARE"] = f"gunwale/{_gunwale.version}"
    _set_up_paths(cfg)
    if purpose != CHECK:
        _check_logs(cfg)
    listen_fds = [int(fd) for fd in listeners.split(",") if fd]
    app = proxies.App(cfg, app_name)
    _State.cfg = cfg
    _State.server = proxies.Server(cfg, _State.log, app, listen_fds)


@_step
def open_logs():
    """The logger, over the files that C has opened by now."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        _State.log = _State.server.log = logchoice.make(_State.cfg)
    except RuntimeError as error:
        raise conffile.ConfigError(f"\nError: {error}") from error
    return "sends metrics" if logchoice.sends_statsd_itself(_State.log) else ""


def _check_application():
    try:
        _State.server.app.wsgi()
    except Exception as error:
        text = f"\nError while loading the application:\n\n{traceback.format_exc()}".rstrip("\n")
        raise conffile.ConfigError(text) from error


def _warm_up():
    if _State.cfg.get("warmup_paths") and _State.server.app.callable is not None:
        from gunwale import warmup  # only where it is asked for

        warmup.run_before_fork(_State.server.app.callable, _State.cfg, _State.log)


def _warn_about_threads():
    count = threading.active_count() - 1
    if count > 0:
        _State.log.warning(
            "The application started %d thread(s) while it was preloaded; workers will not have them.", count
        )


def _warn_about_configuration():
    for sentence in conffile.warnings:
        _State.log.warning("%s", sentence)


@_step
def make_ssl_context():
    try:
        tls.make(_State.cfg)
    except (OSError, ValueError) as error:
        text = str(error)
        raise conffile.ConfigError(text if text.startswith("ssl_context: ") else f"ssl_context: {text}") from error


@_step
def prepare_gevent(purpose):
    """Before the application: gevent is there, and with preload it is in place before anything else is imported."""
    try:
        from gunwale import geventloop  # only for this class

        geventloop.check()
    except ImportError as error:
        text = f"\nError: gevent worker requires gevent 24.10.1 or higher ({error})"
        raise conffile.ConfigError(text) from error
    except RuntimeError as error:
        raise conffile.ConfigError(f"\nError: {error}") from error
    if purpose == CHECK or _State.cfg.get("preload_app"):
        geventloop.patch()


@_step
def load(purpose):
    """Imports the application if it is wanted before the fork; then everything here becomes immortal, and so shared."""
    if purpose == CHECK:
        for sentence in conffile.warnings:
            print(f"Warning: {printable(sentence)}", file=sys.stderr, flush=True)
        _check_application()
        return
    _warn_about_configuration()
    if _State.cfg.get("warmup_paths"):
        # Also for workers: those that have dropped their privileges may not be able to read our directory any more.
        importlib.import_module("gunwale.warmup")
    if _State.cfg.get("preload_app"):
        if _State.cfg.get("reload"):
            reloader.preload(_State.server.app)
        else:
            _State.server.app.wsgi()
        _warm_up()
        _warn_about_threads()
    # A collection in a worker would otherwise write into every object that it shares with us.
    gc.collect()
    gc.freeze()
    if sys.version_info[:2] == (3, 11):
        # Each entry of the cache of methods holds a reference to its name, which a worker that replaces the entry gives up. Names
        # are immortal in 3.12; before 3.11 every type would be looked up anew.
        sys._clear_type_cache()


def new_worker(serial, request_limit):
    _State.server.worker_age = serial
    return proxies.Worker(_State.server, serial, request_limit)


@_hook_step
def pre_fork(worker):
    hooks.call("pre_fork", _State.server, worker)


@_step
def note_forked(worker, pid):
    worker.pid = pid
    _State.server.WORKERS[pid] = worker


def _child_exit(server, arguments):
    worker = server.WORKERS.pop(arguments["pid"], None)
    if worker is None:  # died before the template had noted it, or is of another generation
        worker = proxies.Worker(server, arguments.get("serial", 0), 0)
        worker.pid = arguments["pid"]
    hooks.call("child_exit", server, worker)


def _nworkers_changed(server, arguments):
    server.num_workers = arguments["new"]
    hooks.call("nworkers_changed", server, arguments["new"], arguments["old"])


def _call_server_hook(name, arguments):
    if name == "child_exit":
        _child_exit(_State.server, arguments)
    elif name == "nworkers_changed":
        _nworkers_changed(_State.server, arguments)
    elif name in ("on_starting", "when_ready"):
        count = threading.active_count()
        hooks.call(name, _State.server)
        _State.has_hook_threads |= threading.active_count() > count
    else:
        hooks.call(name, _State.server)
    if name == "on_starting":
        os.environ.pop("GUNICORN_FD", None)  # gunicorn: arbiter.py start(); of a new master (SIGUSR2)


@_hook_step
def run_hook(name, arguments_text):
    """Once a hook of the start failed no other runs: gunicorn's master would be gone."""
    arguments = json.loads(arguments_text or "{}")
    is_of_start = name in ("on_starting", "when_ready") or ("old" in arguments and arguments["old"] is None)
    if _State.is_over:
        return
    _State.is_over = is_of_start
    _call_server_hook(name, arguments)
    _State.is_over = False


@_step
def list_hook_threads():
    return "some" if _State.has_hook_threads else ""


@_step
def reopen_logs():
    if _State.log is not None:
        _State.log.reopen_files()


@_step
def leave():
    ending.run()
    logging.shutdown()
