# SPDX-License-Identifier: MIT
"""In the template: runs a script that starts a server in Python, up to its run(), and keeps the application object.

`-c script:PATH` or `-c "script:-m MODULE"`; that is also what run() of gunwale.app.base becomes.
"""

import importlib.util
import json
import os
import sys
import types

import _gunwale

from gunwale import compat, hooks, launcher

PREFIX = "script:"

# The object whose run() was called; its load() answers the WSGI callable.
application = None


class _HandOver(BaseException):
    """Leaves the script at its run()."""

    def __init__(self, app):
        super().__init__()
        self.app = app


class ScriptError(Exception):
    """The script does not start a server; the text is a sentence."""


_is_running = False


def names():
    return frozenset(_gunwale.settings) | frozenset(hooks.PARAMETERS)


def hand_over(app):
    if not _is_running:
        raise RuntimeError("run() was called in a process of the server that it would start")
    raise _HandOver(app)


def refuse_command_line():
    raise ScriptError("the script's application has no load_config() of its own; run the command gunwale instead")


def _arguments(name):
    """The script's own argv, where the script itself had become this server."""
    told = json.loads(os.environ.get(launcher.SCRIPT_VARIABLE, "{}"))
    return told["argv"] if told.get("name") == name else None


def _compile(name):
    """(code, spec or None, path) of a script or of `-m MODULE`."""
    if not name.startswith("-m "):
        path = os.path.abspath(name)
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec"), None, path
    module = name[len("-m "):].strip()
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(module + ".__main__")
    if spec is None:
        raise ImportError(f"No module named {module}")
    return spec.loader.get_code(spec.name), spec, spec.origin


def _make_main(spec, path):
    """As python PATH and python -m MODULE set it up; multiprocessing looks at these names."""
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__spec__ = spec
    main.__builtins__ = __builtins__
    if spec is not None:
        main.__package__ = spec.parent
        main.__loader__ = spec.loader
    else:
        main.__package__ = None
        folder = os.path.dirname(path)
        if folder not in sys.path:
            sys.path.insert(0, folder)
    sys.modules["__main__"] = main
    return main


def run(name):
    """Returns the options that the application set, as a configuration file's globals would be."""
    global application, _is_running
    compat.take_over_starters()
    code, spec, path = _compile(name)
    sys.argv = _arguments(name) or [path]
    main = _make_main(spec, path)
    _is_running = True
    try:
        exec(code, vars(main))
    except _HandOver as end:
        application = end.app
    finally:
        _is_running = False
    if application is None:
        raise ScriptError(f"{name} ended without calling run() of an application")
    return {**application.cfg.values, "wsgi_app": PREFIX + name}
