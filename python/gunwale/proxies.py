# SPDX-License-Identifier: MIT
"""The objects that hooks get as `server` and `worker`: gunicorn's names over our processes.

They are made in the template; a worker has copies from the moment of its fork. New attributes may be set on both.
"""

import os
import signal
import socket

import _gunwale

from gunwale import apploader, conffile, hooks

_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))


def _do_nothing(*_args):
    """What gunicorn shows for a hook that the configuration file does not define."""


def _parse_bind(text):
    """One bind address as gunicorn's server.address shows it."""
    if text.startswith("fd://"):
        return int(text[len("fd://"):])
    for prefix in ("unix://", "unix:"):
        if text.startswith(prefix):
            return text[len(prefix):]
    text = text.removeprefix("tcp://")
    if text.startswith("[") and "]" in text:
        host, _, rest = text[1:].partition("]")
        return host.lower(), int(rest[1:] or 8000)
    host, _, port = text.partition(":")
    return host.lower() or "0.0.0.0", int(port or 8000)


class Config:
    """server.cfg: every setting by its name, the objects of the configuration file where JSON cannot hold them."""

    def __init__(self, settings, app):
        self._settings = settings
        self._app = app

    def get(self, name):
        set_here = conffile.values.get(name)
        if not isinstance(set_here, _PLAIN):
            return set_here
        return self._settings.get(name)

    def __getattr__(self, name):
        if name in _gunwale.settings:
            return self.get(name)
        if name in hooks.PARAMETERS:
            return hooks.find(name) or _do_nothing
        raise AttributeError(f"No configuration setting for: {name}")

    @property
    def settings(self):
        return {name: self.get(name) for name in _gunwale.settings}

    @property
    def address(self):
        return [_parse_bind(text) for text in self.get("bind") or []]

    @property
    def proc_name(self):
        return self.get("proc_name") or self.default_proc_name

    @property
    def default_proc_name(self):
        return self._app

    @property
    def uid(self):
        user = self.get("user")
        return os.geteuid() if user in (None, -1) else user

    @property
    def gid(self):
        group = self.get("group")
        return os.getegid() if group in (None, -1) else group

    @property
    def worker_class_str(self):
        worker_class = self.get("worker_class") or "sync"
        return getattr(worker_class, "__name__", str(worker_class))

    @property
    def env(self):
        return dict(item.split("=", 1) for item in self.get("raw_env") or [])

    @property
    def is_ssl(self):
        return bool(self.get("certfile") or self.get("keyfile"))


class App:
    """server.app and worker.app: the application, once it is loaded."""

    def __init__(self, cfg, name):
        self.cfg = cfg
        self.app_uri = name
        self.callable = None

    def load(self):
        return apploader.load(self.app_uri)

    def wsgi(self):
        """The WSGI callable, imported at the first call."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable


class Server:
    """What gunicorn's hooks know as the arbiter. The master itself runs no Python: its `pid` takes signals."""

    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4

    def __init__(self, cfg, log, app, listen_fds):
        self.cfg = cfg
        self.log = log
        self.app = app
        self.pid = os.getppid()
        self.master_pid = 0
        self.master_name = "Master"
        self.reexec_pid = 0
        self.worker_age = 0
        self.address = cfg.address
        self.num_workers = cfg.get("workers") or 1
        self.timeout = cfg.get("timeout")
        self.proc_name = cfg.proc_name
        self.worker_class = cfg.worker_class_str
        self.WORKERS = {}
        self.listen_fds = listen_fds

    @property
    def LISTENERS(self):
        return open_sockets(self.listen_fds)

    def kill_worker(self, pid, sig):
        os.kill(pid, sig)

    def kill_workers(self, sig):
        for pid in list(self.WORKERS):
            os.kill(pid, sig)

    def stop(self, graceful=True):
        os.kill(self.pid, signal.SIGTERM if graceful else signal.SIGQUIT)

    def halt(self, reason=None, exit_status=0):
        os.kill(self.pid, signal.SIGTERM)

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def spawn_worker(self):
        os.kill(self.pid, signal.SIGTTIN)


def open_sockets(fds):
    """Socket objects over duplicates: closing one must not close what the worker serves from."""
    return [socket.socket(fileno=os.dup(fd)) for fd in fds]


class Tmp:
    """worker.tmp: the heartbeat, which is no file any more."""

    def notify(self):
        _gunwale.beat()

    def last_update(self):
        """Seconds of the monotonic clock."""
        return _gunwale.last_beat()

    def close(self):
        """Nothing to close."""


class Worker:
    """What gunicorn's hooks know as the worker."""

    def __init__(self, server, age, max_requests):
        self.age = age
        self.pid = "[booting]"
        self.ppid = server.pid
        self.server = server
        self.cfg = server.cfg
        self.log = server.log
        self.app = App(server.cfg, server.app.app_uri)
        self.app.callable = server.app.callable
        self.timeout = (server.timeout or 0) / 2.0  # gunicorn passes half of it on
        self.max_requests = max_requests or 2**63 - 1
        self.booted = False
        self.aborted = False
        self.reloader = None
        self.wsgi = None
        self.tmp = Tmp()
        self._is_alive = True
        self._sockets = None

    def __str__(self):
        return f"<Worker {self.pid}>"

    @property
    def alive(self):
        return self._is_alive

    @alive.setter
    def alive(self, value):
        self._is_alive = bool(value)
        if not value:
            _gunwale.drain()

    @property
    def nr(self):
        return _gunwale.request_count()

    @property
    def sockets(self):
        if self._sockets is None:
            self._sockets = open_sockets(self.server.listen_fds)
        return self._sockets

    def notify(self):
        _gunwale.beat()
