# SPDX-License-Identifier: MIT
"""Finds the WSGI application that a text like "module:name" or "module:factory('x', debug=True)" means."""

import ast
import importlib
import os
import sys
import traceback

from gunwale import scripts


class AppImportError(Exception):
    """The module loaded, but there is no application in it. Workers leave with 4."""


def _import_module(name, expression):
    try:
        return importlib.import_module(name)
    except ImportError:
        if name.endswith(".py") and os.path.exists(name):
            wanted = name.rsplit(".", 1)[0]
            raise ImportError(
                f"Failed to find application, did you mean '{wanted}:{expression}'?"
            ) from None
        raise


def _parse(text):
    """Name, positional and keyword arguments; the arguments are None for a plain name."""
    refusal = f"Failed to parse {text!r} as an attribute name or function call."
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise AppImportError(refusal) from None
    if isinstance(tree, ast.Name):
        return tree.id, None, None
    if not isinstance(tree, ast.Call):
        raise AppImportError(refusal)
    if not isinstance(tree.func, ast.Name):
        raise AppImportError(f"Function reference must be a simple name: {text!r}")
    if any(keyword.arg is None for keyword in tree.keywords):  # **options
        raise AppImportError(refusal)
    try:
        args = [ast.literal_eval(arg) for arg in tree.args]
        kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in tree.keywords}
    except ValueError:
        raise AppImportError(refusal) from None
    return tree.func.id, args, kwargs


def _call_factory(factory, args, kwargs):
    """Wrong arguments are our user's slip and said in one line; a TypeError from inside is the application's."""
    try:
        return factory(*args, **kwargs)
    except TypeError as error:
        frames = traceback.extract_tb(sys.exc_info()[2])
        if len(frames) == 1:
            raise AppImportError("".join(traceback.format_exception_only(TypeError, error)).strip()) from error
        raise


def load(text):
    """The application callable. AppImportError, or whatever the import raised."""
    if scripts.application is not None and text.startswith(scripts.PREFIX):
        return scripts.application.wsgi()
    module_name, colon, expression = text.partition(":")
    if not colon:
        expression = "application"
    module = _import_module(module_name, expression)
    name, args, kwargs = _parse(expression)
    try:
        app = getattr(module, name)
    except AttributeError:
        raise AppImportError(f"Failed to find attribute {name!r} in {module_name!r}.") from None
    if args is not None:
        app = _call_factory(app, args, kwargs)
    if app is None:
        raise AppImportError(f"Failed to find application object: {expression!r}")
    if not callable(app):
        raise AppImportError("Application object must be callable.")
    return app


def set_environment(items):
    """raw_env: "KEY=VALUE" items."""
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise RuntimeError(f"environment setting {item!r} invalid")
        os.environ[key] = value


def enter_directory(directory):
    """chdir, with the directory in front of sys.path unless it is on it."""
    try:
        os.chdir(directory)
    except OSError:
        raise RuntimeError(f"can't chdir to {directory!r}") from None
    if directory not in sys.path:
        sys.path.insert(0, directory)


def add_paths(pythonpath):
    """A comma list; the last one ends in front."""
    for piece in pythonpath.split(","):
        path = os.path.abspath(piece)
        if path not in sys.path:
            sys.path.insert(0, path)
