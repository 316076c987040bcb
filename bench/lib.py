# SPDX-License-Identifier: MIT
"""What the measuring scripts share: a server under measurement, its clients, its memory cgroup, a table row."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
MB = 1 << 20
HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""
TLS = ["--certfile", "cert.pem", "--keyfile", "key.pem"]
KINDS = {
    # name: (arguments of gunwale, arguments of load, whether over a unix socket)
    "tcp": ([], [], False),
    "tcp, close": ([], ["-x"], False),
    "unix": ([], [], True),
    "unix, close": ([], ["-x"], True),
    "tls": (TLS, ["-s"], False),
    "tls, close": (TLS, ["-s", "-x"], False),
    "proxy v1": (["--proxy-protocol", "v1"], ["-P", "1"], False),
    "proxy v2": (["--proxy-protocol", "v2"], ["-P", "2"], False),
    "proxy v2, close": (["--proxy-protocol", "v2"], ["-P", "2", "-x"], False),
}


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )


@contextlib.contextmanager
def scratch(text=HELLO):
    """A folder with app.py and a certificate that workers of any user can read."""
    with tempfile.TemporaryDirectory(prefix="gunwale-bench-") as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)
        (folder / "app.py").write_text(text)
        make_certificate(folder)
        yield folder


@contextlib.contextmanager
def memory_cgroup(limit_bytes):
    sys.path.insert(0, str(TOP / "tests/e2e"))
    try:
        import memcgroup
        import pytest
    except ImportError as error:
        raise SystemExit(f"tests/e2e/memcgroup.py can't be imported: {error}") from error
    try:
        cgroup = memcgroup.MemoryCgroup(limit_bytes)
    except pytest.skip.Exception as error:
        raise SystemExit(str(error)) from error
    try:
        yield cgroup
    finally:
        cgroup.remove()


class Server:
    """A gunwale in `folder` whose workers all serve; stopped at the end of the with block."""

    def __init__(self, build, folder, arguments, workers, is_unix=False, cgroup=None, pin=None):
        self.build, self.folder, self.workers = build, folder, workers
        self.log_file = folder / "log"
        self.log_file.write_text("")
        self.control = folder / "control"
        command = [build / "gunwale", "-w", str(workers), "--error-logfile", "log", "--control-socket", "control",
                   "-b", "unix:socket" if is_unix else "127.0.0.1:0", *arguments, "app:app"]

        def enter():
            if cgroup:
                cgroup.enter()
            if pin:
                os.sched_setaffinity(0, pin)

        self.process = subprocess.Popen(command, cwd=folder, preexec_fn=enter)
        self.pid = self.process.pid

    def __enter__(self):
        try:
            self.address = self.wait_log(r"Listening at: (?:https?://)?(\S+)").group(1)
            self.wait_for(lambda: self.serving() == self.workers, f"{self.workers} serving workers", 120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        return self.log_file.read_text(errors="replace")

    def count(self, pattern):
        return len(re.findall(pattern, self.log()))

    def wait_for(self, question, what, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            answer = question()
            if answer:
                return answer
            time.sleep(0.02)
        raise SystemExit(f"never: {what}\n{self.log()[-4000:]}")

    def wait_log(self, pattern, seconds=30):
        return self.wait_for(lambda: re.search(pattern, self.log()), f"in the log: {pattern}", seconds)

    def status(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.control))
            client.sendall(b'{"command": "status"}\n')
            return json.loads(client.makefile().readline())["status"]

    def worker_pids(self):
        return [row["pid"] for row in self.status()["workers"] if row["state"] == "serving"]

    def serving(self):
        try:
            return len(self.worker_pids())
        except OSError:
            return 0

    def load(self, *arguments):
        """What bench/load says, as a dict; each answer must be "hello"."""
        command = [self.build / "bench/load", "-e", "hello", *map(str, arguments), self.address]
        return json.loads(subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, check=True).stdout)


def add_load(sum_of, figures):
    """Adds counts; rates and times are kept as lists."""
    for name, value in figures.items():
        if name in ("rps", "seconds") or name.endswith("_ms"):
            sum_of.setdefault(name, []).append(value)
        else:
            sum_of[name] = sum_of.get(name, 0) + value
    return sum_of


def failures(figures):
    """The classes of failed requests that are not 0, in words."""
    known = {"ok", "requests", "failed", "connections"}
    found = [f"{name} {value:,}" for name, value in figures.items() if name not in known and isinstance(value, int) and value]
    return ", ".join(found) or "0"


def percentile(values, share):
    values = sorted(values)
    return values[round((len(values) - 1) * share)]


def spread(values, digits=2):
    """The median, and between which values it lies."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def header(*names):
    row(*names)
    row(*("---" for _ in names))


def row(*cells):
    print("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |", flush=True)
