# SPDX-License-Identifier: MIT
"""The objects that hooks get as `server` and `worker`: gunicorn's names over our processes.

They are made in the template; a worker has copies from the moment of its fork. New attributes may be set on both.
"""

import os
import signal
import socket

import _gunwale

from gunwale import apploader, conffile, hooks

_NAME_COLUMNS = 34  # gunicorn's longest name
_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))


def _do_nothing(*_args):
    """What gunicorn shows for a hook that the configuration file does not define."""


def _parse_port(text):
    """A port that is none stays a text: the master says so when it binds, and --check-config as little as gunicorn's."""
    return int(text) if text.isdecimal() else text


def _parse_bind(text):
    """One bind address as gunicorn's server.address shows it."""
    if text.startswith("fd://"):
        return _parse_port(text[len("fd://"):])
    for prefix in ("unix://", "unix:"):
        if text.startswith(prefix):
            return text[len(prefix):]
    text = text.removeprefix("tcp://")
    if text.startswith("[") and "]" in text:
        host, _, rest = text[1:].partition("]")
        return host.lower(), _parse_port(rest[1:] or "8000")
    host, _, port = text.partition(":")
    return host.lower() or "0.0.0.0", _parse_port(port or "8000")


class Setting:
    """One entry of cfg.settings."""

    def __init__(self, cfg, name):
        self._cfg = cfg
        self.name = name

    @property
    def value(self):
        return getattr(self._cfg, self.name)

    def get(self):
        return self.value

    def set(self, value):
        self._cfg.set(self.name, value)

    def __repr__(self):
        return f"<{type(self).__module__}.{self.name} object with value {self.value!r}>"


def _parse_statsd(text):
    """statsd_host as cfg shows it in gunicorn: a path or (host, port)."""
    if not text:
        return None
    path = text.removeprefix("unix:").removeprefix("//")
    if text.startswith("unix:") and not path.isdigit():
        return path
    host, _, port = text.rpartition(":") if "]:" in text or text.count(":") == 1 else (text, "", "")
    return host.strip("[]") or "localhost", int(port or 8125)


class Config:
    """server.cfg: every setting by its name, the objects of the configuration file where JSON cannot hold them."""

    def __init__(self, settings, app):
        self._settings = settings
        self._app = app
        self._set_by_hooks = {}

    def get(self, name):
        if name in self._set_by_hooks:
            return self._set_by_hooks[name]
        set_here = conffile.values.get(name)
        if isinstance(set_here, dict):  # may hold objects
            return set_here
        if isinstance(set_here, _PLAIN):
            return self._settings.get(name)
        # The command line may have said something else since.
        if name == "logger_class" and not conffile.stands_for(self._settings.get(name), set_here):
            return self._settings.get(name)
        return set_here

    def __getattr__(self, name):
        if name in ("user", "group"):  # numbers for os.chown(), also where nothing is set
            return self.uid if name == "user" else self.gid
        if name == "statsd_host":
            return _parse_statsd(self.get(name))
        if name in _gunwale.settings:
            return self.get(name)
        if name in hooks.PARAMETERS:
            return hooks.find(name) or _do_nothing
        raise AttributeError(f"No configuration setting for: {name}")

    def set(self, name, value):
        """What the hooks and the application see from now on; the master has its settings already."""
        if name not in _gunwale.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        self._set_by_hooks[name] = value

    @property
    def settings(self):
        return {name: Setting(self, name) for name in (*_gunwale.settings, *hooks.PARAMETERS)}

    def __str__(self):
        lines = []
        for name in sorted(self.settings):
            value = getattr(self, name)
            value = f"<{value.__qualname__}()>" if callable(value) and hasattr(value, "__qualname__") else value
            lines.append(f"{name:{_NAME_COLUMNS}} = {value}")
        return "\n".join(lines)

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
        return self.get("certfile") or self.get("keyfile")

    @property
    def ssl_options(self):
        names = "keyfile certfile ssl_version cert_reqs ca_certs suppress_ragged_eofs do_handshake_on_connect ciphers"
        return {name: self.get(name) for name in names.split()}


class App:
    """server.app and worker.app: the application, once it is loaded."""

    def __init__(self, cfg, name):
        self.cfg = cfg
        self.app_uri = name
        self.callable = None
        self.prog = None
        self.logger = None

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
        self.systemd = "LISTEN_FDS" in os.environ
        self.pidfile = _PidFile(cfg.get("pidfile"), self.pid) if cfg.get("pidfile") else None
        self.listen_fds = listen_fds

    @property
    def LISTENERS(self):
        return open_sockets(self.listen_fds, self.cfg, self.log)

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


class Listener:
    """What gunicorn's hooks know as a listening socket: the socket itself is `sock`."""

    def __init__(self, sock, cfg, log):
        self.sock = sock
        self.conf = cfg
        self.log = log
        self.FAMILY = sock.family
        self.cfg_addr = sock.getsockname()

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def __str__(self):
        if self.FAMILY == socket.AF_UNIX:
            return f"unix:{self.cfg_addr}"
        host, port = self.cfg_addr[:2]
        if self.FAMILY == socket.AF_INET6:
            return f"http://[{host}]:{port}"
        return f"{'https' if self.conf.is_ssl else 'http'}://{host}:{port}"


def open_sockets(fds, cfg, log):
    """Listeners over duplicates: closing one must not close what the worker serves from. None once the service stops."""
    found = []
    for fd in fds:
        try:
            found.append(Listener(socket.socket(fileno=os.dup(fd)), cfg, log))
        except OSError:
            continue
    return found


class _PidFile:
    """server.pidfile"""

    def __init__(self, fname, pid):
        self.fname = fname
        self.pid = pid


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
        self._signals = None  # life.py: the handlers, in a worker

    def __str__(self):
        return f"<Worker {self.pid}>"

    def handle_exit(self, sig, frame):
        """gunicorn's handlers by name: some hooks put their own in front."""
        self._signals.drain(sig, frame)

    def handle_quit(self, sig, frame):
        self._signals.quit(sig, frame)

    def handle_abort(self, sig, frame):
        self._signals.abort(sig, frame)

    def handle_usr1(self, sig, frame):
        self._signals.reopen(sig, frame)

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
            self._sockets = open_sockets(self.server.listen_fds, self.cfg, self.log)
        return self._sockets

    def notify(self):
        _gunwale.beat()
