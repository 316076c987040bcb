# SPDX-License-Identifier: MIT
"""The names of gunicorn's package that configuration files and applications import, for where it is not installed.

template.py calls install() before the configuration file runs. The files beside this one become the modules of the table:
most of their names are our own objects, so that `isinstance(worker, gunicorn.workers.base.Worker)` holds in a hook.
"""

import importlib.machinery
import importlib.util
import logging
import os
import sys

import _gunwale

SERVER = "gunwale"
SERVER_SOFTWARE = f"{SERVER}/{_gunwale.version}"

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_FILES = {
    "gunicorn": "package.py",
    "gunicorn.app": "folder.py",
    "gunicorn.app.base": "app_base.py",
    "gunicorn.app.wsgiapp": "app_wsgiapp.py",
    "gunicorn.arbiter": "arbiter.py",
    "gunicorn.config": "config.py",
    "gunicorn.errors": "errors.py",
    "gunicorn.glogging": "glogging.py",
    "gunicorn.http": "folder.py",
    "gunicorn.http.errors": "http_errors.py",
    "gunicorn.http.message": "http_message.py",
    "gunicorn.http.wsgi": "http_wsgi.py",
    "gunicorn.instrument": "folder.py",
    "gunicorn.instrument.statsd": "statsd.py",
    "gunicorn.util": "util.py",
    "gunicorn.workers": "folder.py",
    "gunicorn.workers.base": "workers.py",
    "gunicorn.workers.base_async": "workers.py",
    "gunicorn.workers.ggevent": "workers.py",
    "gunicorn.workers.gthread": "workers.py",
    "gunicorn.workers.sync": "workers.py",
}
# What starts a server.
_STARTERS = frozenset({"gunicorn.app.base", "gunicorn.app.wsgiapp"})
_PACKAGES = frozenset({"gunicorn", "gunicorn.app", "gunicorn.http", "gunicorn.instrument", "gunicorn.workers"})


def _is_ours(module):
    """Also a folder `gunicorn` without code in it: no file."""
    path = getattr(module, "__file__", None)
    return path is None or os.path.dirname(path) == _FOLDER


def _make_spec(name):
    location = os.path.join(_FOLDER, _FILES[name])
    # A worker without its privileges may not see our folder any more.
    if not os.access(location, os.R_OK):
        return None
    return importlib.util.spec_from_file_location(
        name, location, loader=importlib.machinery.SourceFileLoader(name, location)
    )


class _Finder:
    """The last of all finders: a real gunicorn wins."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in _FILES or ("." in name and not _is_ours(sys.modules.get("gunicorn"))):
            return None
        spec = _make_spec(name)
        if spec is not None and name in _PACKAGES:
            spec.submodule_search_locations = []  # nothing but this finder knows what is in it
        return spec


class _StarterFinder:
    """The first of all finders."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return _make_spec(name) if name in _STARTERS else None


def take_over_starters():
    """A script shall start this server, also where gunicorn is installed."""
    if _StarterFinder not in sys.meta_path:
        sys.meta_path.insert(0, _StarterFinder)
    for name in _STARTERS:
        sys.modules.pop(name, None)


def install():
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)


def real_is_there():
    """Whether the real package can be imported; it is not."""
    try:
        spec = importlib.util.find_spec("gunicorn")
    except (ImportError, ValueError):
        return False
    origin = getattr(spec, "origin", None)
    return origin is not None and os.path.dirname(origin) != _FOLDER


def _pick(module, name, untouched, ours):
    """What the user has set that name to; ours where it is as gunicorn made it, or where no header can carry it."""
    value = getattr(module, name, untouched)
    if value == untouched:
        return ours
    if isinstance(value, str) and all(character >= " " and character != "\x7f" for character in value):
        try:
            value.encode("latin-1")
            return value
        except UnicodeEncodeError:
            pass
    logging.getLogger("gunicorn.error").warning("gunicorn.%s is not used, no header can carry it: %r", name, value)
    return ours


def server_names():
    """The Server header, as bytes, and SERVER_SOFTWARE of the environ. gunicorn: http/wsgi.py reads both when imported."""
    module = sys.modules.get("gunicorn")
    version = getattr(module, "__version__", "")
    server = _pick(module, "SERVER", "gunicorn", SERVER)
    software = _pick(module, "SERVER_SOFTWARE", f"gunicorn/{version}", SERVER_SOFTWARE)
    return server.encode("latin-1"), software
