# SPDX-License-Identifier: MIT
"""One server under load, of any kind: processor time, memory and durations of its whole tree of processes; and wrk.

Used by suite.py and memory.py. Answers are checked before anything is timed.
"""

import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import peers

HERE = pathlib.Path(__file__).resolve().parent
ERRORS = ("not_200", "connect", "read", "write", "timeout")
TICKS = os.sysconf("SC_CLK_TCK")
serial = itertools.count()


class Failed(Exception):
    """The server, or the load, did not do what was asked; the text goes into the table."""


class Account:
    """Processor time of a server and of all it has ever started: a cgroup where root may make one, else /proc in ticks."""

    def __init__(self):
        self.folder = self.usage = None
        for line in pathlib.Path("/proc/mounts").read_text().splitlines():
            mount, kind, options = line.split()[1:4]
            if kind == "cgroup" and "cpuacct" in options.split(","):
                self.try_folder(mount, "cpuacct.usage", lambda text: int(text) / 1e9)
            elif kind == "cgroup2":
                self.try_folder(mount, "cpu.stat", lambda text: int(re.search(r"usage_usec (\d+)", text).group(1)) / 1e6)

    def try_folder(self, mount, name, seconds):
        if self.folder:
            return
        folder = pathlib.Path(mount) / f"gunwale-bench-{os.getpid()}-{next(serial)}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            if (folder / name).exists():
                self.folder, self.usage = folder, lambda: seconds((folder / name).read_text())
            else:
                folder.rmdir()

    def enter(self):
        if self.folder:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self, root):
        if self.folder:
            return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]
        found, waiting = [], [root]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    waiting += map(int, (task / "children").read_text().split())
        return found

    def seconds(self, root):
        if self.usage:
            return self.usage()
        ticks = 0
        for pid in self.pids(root):
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # its own, and those of children that it has waited for
        return ticks / TICKS

    def close(self):
        if self.folder:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    self.folder.rmdir()
                    break
                time.sleep(0.02)


def end_cleanly():
    """SIGTERM stops the server under measurement as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def free_port():
    with socket.socket() as listener:
        listener.bind((peers.HOST, 0))
        return listener.getsockname()[1]


def ask(port, workload, timeout=30, close=True):
    """One request on a new connection: status, body, and whether only the end of the connection ended the body."""
    connection = http.client.HTTPConnection(peers.HOST, port, timeout=timeout)
    try:
        headers = {**workload.headers, **({"Connection": "close"} if close else {})}
        connection.request("POST" if workload.body else "GET", workload.path, b"e" * workload.body or None, headers)
        answer = connection.getresponse()
        by_close = answer.length is None and not answer.chunked
        return answer.status, answer.read(), by_close
    finally:
        connection.close()


class Running:
    """A server that has answered once. `gc` is what bjoern-gc shall set."""

    def __init__(self, name, place, workload, workers=1, pin=None, gc=None, more=()):
        self.server = peers.SERVERS[name]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gunwale-bench-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.workload = workload
        start = peers.Start(place.build, place.venv, self.folder, workload.app, self.port, workers,
                            gc if self.server.same_gc else None)
        command = self.server.command(start)
        command[-1:-1] = more
        self.account = Account()
        self.process = None
        environment = {**os.environ, "PYTHONPATH": str(peers.APPS), "VIRTUAL_ENV": str(place.venv), "BENCH_FILE": str(place.file)}

        def enter():
            self.account.enter()
            if pin is not None:
                os.sched_setaffinity(0, pin)

        try:
            began = time.monotonic()
            with open(self.folder / "log", "wb") as log:
                self.process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, preexec_fn=enter, start_new_session=True)
            self.wait_answer()
            self.cold_ms = (time.monotonic() - began) * 1000
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise Failed(f"does not start: {error}") from error
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def wait_answer(self, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(self.port, self.workload, 10)[0] == 200:
                    return
            time.sleep(0.001)
        lines = [line for line in (self.folder / "log").read_text(errors="replace").splitlines() if re.search(r"\w", line)]
        raise Failed("does not start: " + (lines[-1][:160] if lines else "no answer"))

    def verify(self, seconds=0.2):
        """Whether the answer is right, asked until the code is warm."""
        until = time.monotonic() + seconds
        while True:
            try:
                status, body, self.by_close = ask(self.port, self.workload, close=self.workload.closes or not self.server.keeps_alive)
            except (OSError, http.client.HTTPException) as error:
                raise Failed(f"broken answer: {error!r}") from error
            low, high = self.workload.length
            if status != 200 or not low <= len(body) <= high:
                raise Failed(f"wrong answer: {status}, {len(body):,} bytes")
            if time.monotonic() > until:
                return

    def pids(self):
        return self.account.pids(self.process.pid)

    def cpu(self):
        return self.account.seconds(self.process.pid)

    def pss_kb(self):
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError, AttributeError):
                total += int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))
        return total

    def stamp(self):
        return json.loads(ask(self.port, self.workload, 5)[1])

    def restart_ms(self, seconds=15):
        """From SIGHUP to the first answer of code that was loaded after it; requests that failed meanwhile."""
        failed = 0
        began = time.monotonic()
        os.kill(self.process.pid, signal.SIGHUP)
        while time.monotonic() < began + seconds:
            try:
                if self.stamp()["loaded"] > began:
                    return (time.monotonic() - began) * 1000, failed
            except (OSError, http.client.HTTPException, ValueError):
                failed += 1
            time.sleep(0.001)
        raise Failed(f"no new code within {seconds} s of SIGHUP")

    def status(self):
        """gunwale's status document."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.folder / "control"))
            client.sendall(b'{"command": "status"}\n')
            return json.loads(client.makefile().readline())["status"]

    def load(self, connections, seconds, pin=None, threads=1):
        """What wrk says, with the processor time of the server."""
        before = self.cpu()
        headers = self.workload.headers if self.server.keeps_alive else {**self.workload.headers, "Connection": "close"}
        figures = wrk(self.port, self.workload, headers, connections, seconds, pin, threads)
        spent = self.cpu() - before
        if not figures["requests"]:
            raise Failed("no answer under load")
        if self.by_close:
            # wrk takes the end of such a body for an error, but counts the request.
            figures["read"] = max(0, figures["read"] - figures["requests"])
        figures["cpu_us"] = spent * 1e6 / figures["requests"]
        figures["rps"] = figures["requests"] * 1e6 / figures["microseconds"]
        figures["errors"] = sum(figures[name] for name in ERRORS)
        if self.process.poll() is not None:
            raise Failed("ended under load")
        return figures

    def close(self):
        if self.process:
            if self.process.poll() is None:
                self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            left = set(self.pids()) if self.account.folder else set()
            for pid in left | ({self.process.pid} if self.process.poll() is None else set()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.account.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def wrk(port, workload, headers, connections, seconds, pin, threads):
    command = ["wrk", "-t", str(min(threads, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
               "-s", str(HERE / "wrk.lua")]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([*command, f"http://{peers.HOST}:{port}{workload.path}"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, "BENCH_BODY": str(workload.body)}, timeout=seconds + 60,
                          preexec_fn=(lambda: os.sched_setaffinity(0, pin)) if pin else None)
    text = done.stdout.decode(errors="replace")
    found = re.search(r"^\{.*\}$", text, re.M)
    if not found:
        raise Failed("wrk: " + (text.strip().splitlines() or ["says nothing"])[-1])
    return json.loads(found.group(0))
