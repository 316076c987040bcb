# SPDX-License-Identifier: MIT
"""The steps in a worker's life, called by src/worker/worker.c: signals, hooks, application, end.

Each answers GO_ON or the exit code that the worker shall leave with.
"""

import contextlib
import faulthandler
import functools
import os
import random
import signal
import sys
import traceback

import _gunwale

from gunwale import apploader, ending, hooks, reloader
from gunwale.template import printable

GO_ON = -1
# Worker class gevent, while it serves: runs a function in a greenlet of its own, since signals arrive in the hub, where nothing
# may wait. gunicorn: ggevent.py handle_quit().
defer = None
BOOT_ERROR, APP_LOAD_ERROR, UNHANDLED = 3, 4, 255


def _explain(worker, error):
    """gunicorn: arbiter.py spawn_worker(). Returns the exit code."""
    _gunwale.last_words(printable(f"{type(error).__name__}: {error}"))
    if isinstance(error, apploader.AppImportError):
        worker.log.debug("Exception while loading the application", exc_info=error)
        print(error, file=sys.stderr, flush=True)
        return APP_LOAD_ERROR
    worker.log.error("Exception in worker process", exc_info=error)
    print(error, file=sys.stderr, flush=True)
    return UNHANDLED if worker.booted else BOOT_ERROR


def _exit_code(leaving):
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr, flush=True)
    return 1


def _step(function):
    """No exception leaves a step."""

    @functools.wraps(function)
    def run(worker):
        try:
            function(worker)
            return GO_ON
        except SystemExit as leaving:
            return _exit_code(leaving)
        except BaseException as error:
            return _explain(worker, error)

    return run


class _Signals:
    """Handlers by the names of actions in signals.def. They run in the main thread, between two steps of Python code."""

    def __init__(self, worker):
        self.worker = worker
        self.worker._is_loading = True

    def drain(self, _number, _frame):
        self.worker.alive = False
        if self.worker._is_loading:
            sys.exit(0)  # nothing was accepted yet: do not finish an import for nobody

    def quit(self, _number, _frame):
        self.worker._is_alive = False
        if defer is not None:
            defer(self._leave)
            return
        _gunwale.quit(0)
        self._call("worker_int")
        sys.exit(0)

    def _leave(self):
        try:
            self._call("worker_int")
        finally:
            _gunwale.quit(0)

    def abort(self, _number, _frame):
        """The stack first: a hook may hang as well."""
        _gunwale.quit(1)
        self.worker._is_alive = False
        self.worker.aborted = True
        _gunwale.last_words("aborted by the master (SIGABRT)")
        with contextlib.suppress(OSError, ValueError):  # the log may be what is broken
            faulthandler.dump_traceback(file=_gunwale.log_fd(), all_threads=True)
        self._call("worker_abort")
        sys.exit(1)

    def reopen(self, _number, _frame):
        if defer is not None:
            defer(self._reopen)
        else:
            self._reopen()

    def _reopen(self):
        try:
            self.worker.log.reopen_files()
        except Exception:
            self.worker.log.exception("Log files were not opened again")
        _gunwale.reopen_logs()

    def ignore(self, _number, _frame):
        """A handler and not SIG_IGN, which programs that the application starts would inherit."""

    def _call(self, name):
        try:
            hooks.call(name, self.worker)
        except Exception:
            self.worker.log.exception("Exception in %s hook", name)


@_step
def take_signals(worker):
    worker.pid = os.getpid()
    worker.ppid = os.getppid()
    actions = _Signals(worker)
    worker._signals = actions
    signal.set_wakeup_fd(_gunwale.wake_fd(), warn_on_full_buffer=False)
    for number, action in _gunwale.worker_signals:
        signal.signal(number, getattr(actions, action))
        if action not in ("quit", "abort"):
            signal.siginterrupt(number, False)


@_step
def post_fork(worker):
    hooks.call("post_fork", worker.server, worker)


@_step
def patch_for_gevent(_worker):
    from gunwale import geventloop  # only where gevent is

    geventloop.begin_worker()


@_step
def load(worker):
    random.seed()
    worker.wsgi = reloader.load(worker) if worker.cfg.get("reload") else worker.app.wsgi()
    hooks.call("post_worker_init", worker)
    if worker.cfg.get("warmup_paths") and not worker.cfg.get("preload_app"):
        from gunwale import warmup  # only where it is asked for

        warmup.run_in_worker(worker)
    worker._is_loading = False
    worker.booted = True


def end_copy(_worker):
    """Of a process that the application forked: exit handlers and hooks are the worker's own."""
    ending.flush()
    return GO_ON


def leave(worker):
    """worker_exit hook and exit handlers; a failure here changes nothing any more."""
    worker._is_loading = False
    try:
        hooks.call("worker_exit", worker.server, worker)
    except BaseException:
        worker.log.warning("Exception during worker exit:\n%s", traceback.format_exc())
    try:
        ending.run()
    except BaseException:
        worker.log.warning("Exception during worker exit:\n%s", traceback.format_exc())
    return GO_ON
