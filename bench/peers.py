# SPDX-License-Identifier: MIT
"""The servers that bench/run compares: how each is started, what it can do, which version it is.

All run the same application in the same Python with the same number of threads, without an access log, with keep-alive where
the server has it. A new one is a row of SERVERS.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import typing

APPS = pathlib.Path(__file__).resolve().parent / "apps"
HOST = "127.0.0.1"
THREADS = 8
CONNECTIONS = 4096

NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/pid;
error_log {folder}/nginx.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen {host}:{port} backlog={backlog};
        location / {{ default_type text/plain; return 200 "Hello, world\\n"; }}
    }}
}}
"""


def backlog():
    """2048 like gunicorn's, where the kernel allows it: uWSGI refuses to start with more than that."""
    with contextlib.suppress(OSError, ValueError):
        return min(2048, int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text()))
    return 128


@dataclasses.dataclass
class Start:
    """What a command line is made of."""

    build: pathlib.Path
    venv: pathlib.Path
    folder: pathlib.Path
    app: str
    port: int
    workers: int
    gc: dict | None

    @property
    def address(self):
        return f"{HOST}:{self.port}"

    def tool(self, name):
        return str(self.venv / "bin" / name)


@dataclasses.dataclass
class Server:
    name: str
    command: typing.Callable[[Start], list]
    program: str  # what must be there: a file of the venv's bin or of PATH, or a module after a colon
    keeps_alive: bool = True  # else each request says that it wants no keep-alive
    overlaps: bool = False  # serves others while the application waits
    reloads: bool = False  # SIGHUP loads the application anew
    most_workers: int = 64
    has_python: bool = True
    same_gc: bool = False


def gunwale(*more):
    return lambda s: [str(s.build / "gunwale"), "-w", str(s.workers), "-b", s.address, "--worker-connections", str(CONNECTIONS),
                      "--control-socket", str(s.folder / "control"), "--chdir", str(APPS), *more, s.app]


def gunicorn(*more):
    return lambda s: [s.tool("gunicorn"), "-w", str(s.workers), "-b", s.address, "--worker-connections", str(CONNECTIONS),
                      "--no-control-socket", "--chdir", str(APPS), *more, s.app]


def uwsgi(socket, *more):
    return lambda s: [s.tool("uwsgi"), f"--{socket}", s.address, "--master", "--processes", str(s.workers), "--home", str(s.venv),
                      "--pythonpath", str(APPS), "--module", s.app, "--need-app", "--die-on-term", "--disable-logging",
                      "--enable-threads", "--listen", str(backlog()), *more]


def uwsgi_closing(*more):
    """Without keep-alive. It does not announce that it closes; unless told to, which spares wrk an error for each request."""
    return uwsgi("http-socket", "--add-header", "Connection: close", *more)


def granian(s):
    return [s.tool("granian"), "--interface", "wsgi", "--http", "1", "--no-ws", "--host", HOST, "--port", str(s.port),
            "--workers", str(s.workers), "--blocking-threads", str(THREADS), "--backlog", str(backlog()), "--no-access-log",
            "--working-dir", str(APPS), s.app]


def library(kind):
    def command(s):
        facts = [json.dumps(s.gc)] if s.gc else []
        return [s.tool("python"), str(APPS / "serve.py"), kind, s.app, str(s.port), str(s.workers), str(THREADS), *facts]

    return command


def mod_wsgi(s):
    module, _, name = s.app.partition(":")
    script = s.folder / "site.wsgi"
    script.write_text(f"from {module} import {name} as application\n")
    return [s.tool("mod_wsgi-express"), "start-server", str(script), "--host", HOST, "--port", str(s.port), "--processes", str(s.workers),
            "--threads", str(THREADS), "--python-path", str(APPS), "--server-root", str(s.folder / "apache"), "--user", "nobody",
            "--group", "nogroup", "--log-to-terminal", "--keep-alive-timeout", "5", "--max-clients", str(CONNECTIONS // 4)]


def nginx(s):
    text = NGINX.format(workers=s.workers, folder=s.folder, connections=CONNECTIONS, host=HOST, port=s.port, backlog=backlog())
    (s.folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(s.folder / "nginx.conf"), "-e", str(s.folder / "nginx.log")]


THREADED = ("-k", "gthread", "--threads", str(THREADS))
SERVERS = {server.name: server for server in (
    Server("gunwale-sync", gunwale("-k", "sync"), "", reloads=True),
    Server("gunwale-gthread", gunwale(*THREADED), "", overlaps=True, reloads=True),
    Server("gunwale-gevent", gunwale("-k", "gevent"), ":gevent", overlaps=True, reloads=True),
    Server("gunicorn-sync", gunicorn("-k", "sync"), "gunicorn", reloads=True),
    Server("gunicorn-gthread", gunicorn(*THREADED), "gunicorn", overlaps=True, reloads=True),
    Server("gunicorn-gevent", gunicorn("-k", "gevent"), "gunicorn", overlaps=True, reloads=True),
    Server("uwsgi", uwsgi_closing(), "uwsgi", keeps_alive=False, reloads=True),
    Server("uwsgi-threads", uwsgi_closing("--threads", str(THREADS)), "uwsgi", keeps_alive=False, overlaps=True, reloads=True),
    Server("uwsgi-keepalive", uwsgi("http11-socket", "--threads", str(THREADS)), "uwsgi", overlaps=True, reloads=True),
    Server("bjoern", library("bjoern"), ":bjoern"),
    Server("bjoern-gc", library("bjoern"), ":bjoern", same_gc=True),
    Server("fastwsgi", library("fastwsgi"), ":fastwsgi"),
    Server("granian", granian, "granian", overlaps=True, reloads=True),
    Server("mod_wsgi", mod_wsgi, "mod_wsgi-express", overlaps=True),
    Server("waitress", library("waitress"), ":waitress", overlaps=True, most_workers=1),
    Server("cheroot", library("cheroot"), ":cheroot", overlaps=True, most_workers=1),
    Server("nginx", nginx, "nginx", has_python=False),
)}


def is_there(server, venv):
    """Whether it is installed; a module is not imported for that."""
    if server.program.startswith(":"):
        return any(venv.glob(f"lib/python3*/site-packages/{server.program[1:]}*"))
    return not server.program or (venv / "bin" / server.program).exists() or bool(shutil.which(server.program))


def first_match(command, pattern):
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        found = re.search(pattern, done.stdout.decode(errors="replace"))
        return found.group(1) if found else None
    return None


def versions(build, venv):
    """Of everything that takes part, by name."""
    found = {
        "gunwale": first_match([build / "gunwale", "--version"], r"(\d[\d.]*)"),
        "nginx": first_match(["nginx", "-v"], r"nginx/(\S+)"),
        "wrk": first_match(["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
        "python": first_match([venv / "bin/python", "-VV"], r"Python (\S+)"),
    }
    listing = subprocess.run([venv / "bin/python", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
                             check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""})
    for package in json.loads(listing.stdout or b"[]"):
        name = package["name"].lower().replace("-", "_")
        if name in ("gunicorn", "gevent", "uwsgi", "bjoern", "fastwsgi", "granian", "waitress", "cheroot", "mod_wsgi", "flask",
                    "werkzeug", "sqlalchemy", "requests"):
            found[name] = package["version"]
    return {name: version for name, version in found.items() if version}
