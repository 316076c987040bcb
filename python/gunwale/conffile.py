# SPDX-License-Identifier: MIT
"""Runs the configuration file: its settings become JSON for the master, its hooks and other objects stay here."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import sys
import traceback

from gunwale import compat, hooks, scripts, slips

DEFAULT = "gunicorn.conf.py"
_CLASSES = ("worker_class", "logger_class")

# What the file set, as Python objects: `cfg` shows these where JSON cannot hold them.
values = {}
# Sentences about what the file seems to mean and does not say; template.py logs them.
warnings = []


class ConfigError(Exception):
    """The text is what gunicorn would print; exit_code what it would exit with."""

    def __init__(self, text, exit_code=1):
        super().__init__(text)
        self.exit_code = exit_code


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles each time: a file that was edited within one second must not come from __pycache__."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        if path.endswith(".pyc"):
            return importlib.machinery.SourcelessFileLoader(fullname, path).get_code(fullname)
        return self.source_to_code(self.get_data(path), path)


def _warn_about_extension():
    print("!!!", file=sys.stderr)
    print("!!! WARNING: configuration file should have a valid Python extension.", file=sys.stderr)
    print("!!!\n", file=sys.stderr, flush=True)


def _run_file(path):
    if not os.path.exists(path):
        raise ConfigError(f"\nError: {path!r} doesn't exist")
    if os.path.splitext(path)[1] not in (".py", ".pyc"):
        _warn_about_extension()
    name = "__config__"
    spec = importlib.util.spec_from_file_location(name, path, loader=_FreshLoader(name, path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        text = f"Failed to read config file: {path}\n{traceback.format_exc()}"
        raise ConfigError(text.rstrip("\n")) from error
    return vars(module)


def _run_module(name):
    try:
        return vars(importlib.import_module(name))
    except Exception as error:
        raise ConfigError(f"\nError: {error}") from error


def _run_script(name):
    try:
        return scripts.run(name)
    except (scripts.ScriptError, FileNotFoundError) as error:
        raise ConfigError(f"\nError: {error}") from error
    except Exception as error:
        raise ConfigError(f"Failed to run script: {name}\n{traceback.format_exc()}".rstrip("\n")) from error


def _get_source(module):
    """The text that a module was made from; None when there is none (byte code)."""
    try:
        return module["__loader__"].get_source(module["__name__"])
    except (ImportError, OSError, SyntaxError, KeyError, AttributeError):
        return None


def _run(location):
    if location.startswith("python:"):
        return _run_module(location[len("python:"):])
    return _run_file(location.removeprefix("file:"))


def describe(value):
    """What JSON cannot hold travels as a marker; the master only names it."""
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}()>"
    return str(value)


def _to_json(value):
    """A JSON text of one value. Markers are for objects; rules about types are the master's."""
    try:
        if isinstance(value, dict):  # logconfig_dict may hold classes and streams
            return json.dumps(value, allow_nan=False, skipkeys=True, default=describe)
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        # As gunicorn's refusal shows it; a class may be taken, and is shown as --print-config shows functions.
        return json.dumps({"__python__": describe(value) if isinstance(value, type) else str(value)})


def _to_object(pieces):
    """One JSON object, with what master/delegate.c may ask for."""
    if not compat.real_is_there():
        pieces.append(f'"__python_without_gunicorn__": {json.dumps(sys.executable)}')
    return "{" + ", ".join(pieces) + "}"


def _resolve_class(name, value):
    """gunicorn: config.py validate_class(), a function is called and its answer counts."""
    if not inspect.isroutine(value):
        return value
    try:
        return value()
    except Exception as error:
        raise ConfigError(f"Invalid value for {name}: {value}\n\n\nError: {error}") from error


def _name_class(value):
    """A class stands for its dotted name, which is what the master knows."""
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else value


def stands_for(text, value):
    """Whether the master's text is what that object of the file became."""
    return text in (describe(value), _name_class(value))


def _take(names, found):
    """Splits the file's names into settings, hooks (named for --print-config) and the rest, which nobody reads."""
    pieces = []
    for name, value in list(found.items()):
        if name in hooks.PARAMETERS:
            try:
                hooks.define(name, hooks.check(name, value))
            except Exception as error:
                raise ConfigError(f"Invalid value for {name}: {value}\n\n\nError: {error}") from error
            shown = describe(value if callable(value) else hooks.find(name))
            pieces.append(f"{json.dumps(name)}: {json.dumps({'__python__': shown})}")
        elif name in names:
            if name in _CLASSES:
                value = _resolve_class(name, value)
            values[name] = value
            if name == "worker_class":
                value = _name_class(value)
            pieces.append(f"{json.dumps(name)}: {_to_json(value)}")
    return _to_object(pieces)


def read(location, names):
    """Runs the file (None: the default one, if there is one) and returns the settings as JSON text."""
    if location is None:
        if not os.path.exists(DEFAULT):
            return _to_object([])
        location = os.path.abspath(DEFAULT)  # as gunicorn has it: for __file__, and for what is said of it
    names = frozenset(names)
    if location.startswith(scripts.PREFIX):
        warnings[:] = []
        return _take(names, _run_script(location[len(scripts.PREFIX):]))
    found = _run(location)
    text = _take(names, found)
    warnings[:] = slips.find(_get_source(found), found, names)
    return text
