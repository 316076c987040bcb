# SPDX-License-Identifier: MIT
"""The hooks that a configuration file defined: checked as gunicorn does, kept by name, called here."""

import inspect

import _gunwale

PARAMETERS = {name: parameters for name, parameters, _process in _gunwale.hooks}

_defined = {}


def _import_dotted(text):
    module_name, dot, name = text.rpartition(".")
    if not dot:
        raise TypeError(
            f"Value '{text}' is not import string. Format: module[.submodules...].object"
        )
    try:
        module = __import__(module_name, fromlist=[name])
    except ImportError as error:
        raise TypeError(str(error)) from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise TypeError(f"Can not load '{name}' from '{module_name}'") from error


def count_parameters(function):
    """Positional parameters, those with defaults included; gunicorn counts *args as none."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(function).parameters.values())


def _widen_post_request(function):
    """post_request took two, then three, now four parameters; all are still accepted."""
    count = count_parameters(function)
    if count == 4:
        return function
    if count == 3:
        return lambda worker, req, environ, resp: function(worker, req, environ)
    if count == 2:
        return lambda worker, req, environ, resp: function(worker, req)
    raise TypeError("Value must have an arity of: 4")


def check(name, value):
    """The callable for a hook, or TypeError with gunicorn's words."""
    if isinstance(value, str):
        value = _import_dotted(value)
    if not callable(value):
        raise TypeError(f"Value is not callable: {value}")
    if name == "post_request":
        return _widen_post_request(value)
    if count_parameters(value) != PARAMETERS[name]:
        raise TypeError(f"Value must have an arity of: {PARAMETERS[name]}")
    return value


def define(name, function):
    _defined[name] = function


def find(name):
    """The hook's function, or None."""
    return _defined.get(name)


def call(name, *args):
    """Calls a hook if it is defined. Exceptions are the caller's."""
    function = _defined.get(name)
    if function is not None:
        function(*args)
