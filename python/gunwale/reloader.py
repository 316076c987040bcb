# SPDX-License-Identifier: MIT
"""--reload, the workers' part: tells the master which files the application is made of, and explains one that is broken.

The master watches the files and replaces the generation when one changes.
"""

import glob
import os
import sys
import threading
import time
import traceback

import _gunwale

PERIOD_S = 1
BATCH_CHARACTERS = 16 * 1024


class _State:
    launch_dir = ""  # patterns of files count from there
    begun_ms = 1  # when this process began to read code
    failure = None  # what the application raised when it was preloaded
    reported = set()


def _now_ms():
    return int(time.time() * 1000)


def begin(launch_dir):
    """Before the configuration file is run."""
    _State.launch_dir = launch_dir
    _State.begun_ms = _now_ms()


def _module_paths():
    """What sys.modules was read from. Folders end in a slash: those of namespace packages, where modules may appear."""
    for module in tuple(sys.modules.values()):
        try:
            path = getattr(module, "__file__", None)
            folders = () if path else tuple(getattr(module, "__path__", None) or ())
        except Exception:  # modules may be any object
            continue
        if isinstance(path, str):
            yield path[:-1] if path.endswith((".pyc", ".pyo")) else path
        for folder in folders:
            if isinstance(folder, str):
                yield folder + "/"


def _extra_files(worker):
    """Files, and files that match a pattern now."""
    named, matched = [], []
    for entry in worker.cfg.get("reload_extra_files") or ():
        path = os.path.join(_State.launch_dir, entry)
        if any(sign in entry for sign in "*?["):
            matched += glob.glob(path, recursive=True)
        else:
            named.append(path)
    return named, matched


def _report(paths, since_ms):
    """Tells the master what it does not know yet. What changed after since_ms (0: never mind) counts as a change."""
    batch, length = [], 0
    for path in paths:
        is_folder = path.endswith("/")
        path = os.path.abspath(path) + ("/" if is_folder else "")
        if path in _State.reported or "\n" in path or "\0" in path:
            continue
        _State.reported.add(path)
        try:
            path.encode()
        except UnicodeEncodeError:  # no name that a message can carry
            continue
        batch.append(path)
        length += len(path) + 1
        if length > BATCH_CHARACTERS:
            _gunwale.code_files(since_ms, "\n".join(batch))
            batch, length = [], 0
    if batch:
        _gunwale.code_files(since_ms, "\n".join(batch))


def _watch(worker):
    while True:
        time.sleep(PERIOD_S)
        try:
            _report(_module_paths(), _State.begun_ms)
            _report(_extra_files(worker)[1], 0)  # gunicorn: the first change of a new match counts, not its making
        except Exception:
            worker.log.warning("The files to watch could not be listed:\n%s", traceback.format_exc())


def _files_of(error):
    """The files that an exception speaks of: they may not be in sys.modules."""
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename:
            yield error.filename
        for frame in traceback.extract_tb(error.__traceback__):
            if not frame.filename.startswith("<"):
                yield frame.filename
        error = error.__cause__ or error.__context__


def _make_error_page(text):
    """An application that answers every request with the traceback."""
    body = text.encode("utf-8", "backslashreplace")

    def show_error(_environ, start_response):
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("500 Internal Server Error", headers)
        return [body]

    return show_error


def preload(app):
    """In the template: a broken application must not end it."""
    try:
        app.wsgi()
    except Exception as error:
        _State.failure = error


def _load(worker):
    if _State.failure is not None:
        raise _State.failure
    return worker.app.wsgi()


def load(worker):
    """The worker's application, or a page that shows why there is none."""
    worker.log.warning("Reloader is on. Use in development only!")
    named, matched = _extra_files(worker)
    _report([*_module_paths(), *named], _State.begun_ms)
    _report(matched, 0)
    _State.begun_ms = _now_ms()
    try:
        wsgi, failure = _load(worker), None
    except Exception as error:
        worker.log.error("Exception in worker process", exc_info=error)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        wsgi, failure = _make_error_page(text), error
        worker.app.callable = wsgi
        _report([*_files_of(error), os.getcwd() + "/"], _State.begun_ms)
    _report(_module_paths(), _State.begun_ms)
    if failure is not None:
        sentence = f"{type(failure).__name__}: {failure}"
        _gunwale.code_broken(sentence.encode("utf-8", "backslashreplace").decode().replace("\0", ""))
    threading.Thread(target=_watch, args=(worker,), name="gunwale-reloader", daemon=True).start()
    return wsgi
