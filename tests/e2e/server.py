# SPDX-License-Identifier: MIT
"""The end-to-end harness: one gunwale in its own folder, watched from outside.

    def test_something(server):
        server.start("basic:app", args=["--workers", "2"])
        assert server.get("/").code == 200
        server.signal("TERM")
        server.wait_exit()

Server.finish(), called by the fixture, checks what every test must leave behind: the expected exit code, no process, no
sanitizer report, no failed CHECK. Each server is a session of its own, so that all its processes can be found.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import textwrap

from rawclient import SLOW, RawClient, can_connect, wait_until

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("GUNWALE_BUILD", HERE.parent.parent / "build" / "test")).resolve()
PROGRAM = pathlib.Path(os.environ.get("GUNWALE_PROGRAM", BUILD / "gunwale"))
LISTENING = r"Listening at: (\S+) \((\d+)\)"
# Variables that change what the server does; a test sets them on purpose.
CLEARED = (
    "GUNICORN_CMD_ARGS GUNWALE_CMD_ARGS CONDA_PREFIX CONDA_DEFAULT_ENV PORT WEB_CONCURRENCY FORWARDED_ALLOW_IPS VIRTUAL_ENV PYTHONHOME PYTHONPATH "
    "LISTEN_FDS LISTEN_PID NOTIFY_SOCKET SCRIPT_NAME SENDFILE GUNWALE_PYTHONDIR "
    "GUNWALE_CONTROL_SOCKET"
).split()


def processes_of_session(session):
    """{pid: state} of all processes of the session, zombies included."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text()
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if int(fields[3]) == session:
            found[int(entry)] = fields[0]
    return found


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def is_alive(pid):
    """Runs, and is no zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def title(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def libraries(pid):
    return pathlib.Path(f"/proc/{pid}/maps").read_text()


def has_sanitizer(pid):
    return "libasan" in libraries(pid) or "libtsan" in libraries(pid)


def open_fds(pid):
    """{fd: what it is}"""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


class Server:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.address = None  # (host, port) or a path, of the first listener
        self.apps = HERE / "apps"
        self.expected_exit = 0
        self.may_leave_zombies = False
        self.status_path = self.folder / "status.json"
        self.log_path = self.folder / "log"
        self.out_path = self.folder / "out"

    # files

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # A new file, so that Python's import never takes the old byte code for the same second and size.
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(textwrap.dedent(text))
        os.replace(temporary, path)
        return path

    def copy_apps(self):
        """For workers of another user, whom the source's folder may be closed to."""
        self.apps = self.folder / "apps"
        shutil.copytree(HERE / "apps", self.apps)

    def read(self, name):
        return (self.folder / name).read_text()

    # life

    def environment(self, env=None):
        result = {name: value for name, value in os.environ.items() if name not in CLEARED}
        result.update(
            PYTHONPATH=str(self.apps),
            PYTHONDONTWRITEBYTECODE="1",
            ASAN_OPTIONS=f"log_path={self.folder}/sanitizer:handle_abort=0:allocator_may_return_null=1",
            UBSAN_OPTIONS=f"log_path={self.folder}/sanitizer:print_stacktrace=1",
            TSAN_OPTIONS=f"log_path={self.folder}/sanitizer",
            LC_ALL="C.UTF-8",
        )
        if os.environ.get("GUNWALE_TEST_VENV"):  # of the embedded Python, with the packages that the tests want
            result["VIRTUAL_ENV"] = os.environ["GUNWALE_TEST_VENV"]
        for name, value in (env or {}).items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = str(value)
        return result

    def spawn(self, arguments, env=None, cwd=None, program=None, **popen):
        """Starts the program with exactly these arguments."""
        assert self.process is None or self.process.poll() is not None, "still running"
        self.log_path.touch()
        self.started_at = len(self.log())
        with open(self.out_path, "ab") as out, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(program or PROGRAM), *map(str, arguments)],
                cwd=cwd or self.folder,
                env=self.environment(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                **popen,
            )
        return self

    def start(self, app="basic:app", args=(), conf=None, env=None, bind="127.0.0.1:0", workers=None, ready=True, **popen):
        """Starts and waits for "Listening at"; with ready also until every worker serves. conf is the text of gunicorn.conf.py."""
        arguments = ["--status-file", self.status_path, "--status-interval", "1"]
        if bind:
            arguments += ["--bind", bind]
        if workers:
            arguments += ["--workers", workers]
        if conf is not None:
            self.write("gunicorn.conf.py", conf)
        arguments += args
        if app:
            arguments.append(app)
        self.spawn(arguments, env=env, **popen)
        self.wait_listening()
        if ready:
            self.wait_ready()
        return self

    def run(self, arguments, env=None, cwd=None, timeout=30, **popen):
        """Runs the program to its end; for command lines that start nothing."""
        environment = self.environment(env)
        return subprocess.run(
            [str(PROGRAM), *map(str, arguments)],
            cwd=cwd or self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout * SLOW,
            start_new_session=True,
            check=False,
            **popen,
        )

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def signal(self, name, pid=None):
        os.kill(pid or self.pid, getattr(signal, "SIG" + name))

    def wait_exit(self, code=0, timeout=15):
        self.expected_exit = code
        try:
            got = self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout * SLOW} s\n{self.log_tail()}") from None
        assert got == code, f"exit code {got}, expected {code}\n{self.log_tail()}"

    def stop(self, timeout=15):
        self.signal("TERM")
        self.wait_exit(timeout=timeout)

    # log

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines=60):
        return "\n".join(self.log().splitlines()[-lines:])

    def mark(self):
        """A place in the log, for wait_log(since=)."""
        return len(self.log())

    def wait_log(self, regex, since=0, timeout=15):
        """Waits for a line; returns the match."""
        pattern = re.compile(regex, re.MULTILINE)
        found = []

        def there():
            match = pattern.search(self.log(), since)
            found[:] = [match]
            return match

        try:
            return wait_until(there, timeout * SLOW)
        except AssertionError:
            raise AssertionError(f"not in the log after {timeout * SLOW} s: {regex}\n{self.log_tail()}") from None

    def log_contains(self, regex, times=None, since=0):
        found = len(re.findall(regex, self.log()[since:], re.MULTILINE))
        return found > 0 if times is None else found == times

    def wait_listening(self):
        pattern = re.compile(LISTENING)

        def there():
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode} before it listened\n{self.log_tail()}")
            return pattern.search(self.log(), self.started_at)

        match = wait_until(there, 20 * SLOW, what=f"Listening at\n{self.log_tail()}")
        self.listening = match.group(1).split(",")
        first = self.listening[0]
        if first.startswith("unix:"):
            self.address = str(self.folder / first[len("unix:") :])
        else:
            host, _, port = first.partition("//")[2].rpartition(":")
            self.address = (host, int(port))

    # processes

    def workers(self):
        """Pids of the workers that serve, oldest first."""
        rows = [row for row in self.status()["workers"] if row["state"] == "serving"]
        return [row["pid"] for row in sorted(rows, key=lambda row: row["serial"])]

    def children(self):
        """Pids of the master's children: template, workers."""
        return sorted(pid for pid in processes_of_session(self.pid) if parent_of(pid) == self.pid)

    def template(self):
        """Pid of the one template."""

        def found():
            pids = [pid for pid in self.children() if "template" in title(pid)]
            return pids if len(pids) == 1 else None

        (pid,) = wait_until(found, 15 * SLOW, what="one template")
        return pid

    def wait_workers(self, count, timeout=20):
        """Until exactly so many workers serve; returns their pids."""

        def there():
            status = self.try_status()
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}\n{self.log_tail()}")
            if status is None or status["server"]["pid"] != self.pid:
                return False
            rows = [row for row in status["workers"] if row["pid"]]
            return len(rows) == count and all(row["state"] == "serving" for row in rows)

        try:
            wait_until(there, timeout * SLOW)
        except AssertionError:
            rows = (self.try_status() or {}).get("workers")
            raise AssertionError(f"never {count} serving workers: {rows}\n{self.log_tail()}") from None
        return self.workers()

    def wait_ready(self, timeout=20):
        def there():
            status = self.try_status()
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}\n{self.log_tail()}")
            if status is None or status["server"]["pid"] != self.pid:
                return False
            serving = [row for row in status["workers"] if row["state"] == "serving"]
            return status["workers_target"] and len(serving) >= status["workers_target"]

        try:
            wait_until(there, timeout * SLOW)
        except AssertionError:
            raise AssertionError(f"not ready: {self.try_status()}\n{self.log_tail()}") from None

    # status file

    def status(self):
        return json.loads(self.status_path.read_text())

    def try_status(self):
        try:
            return self.status()
        except FileNotFoundError:
            return None

    def wait_status(self, question, timeout=15):
        """Waits until question(status) is true; returns the status."""
        kept = {}

        def there():
            kept["status"] = self.try_status()
            return kept["status"] is not None and question(kept["status"])

        try:
            wait_until(there, timeout * SLOW)
        except AssertionError:
            raise AssertionError(f"the status file never said so: {kept}\n{self.log_tail()}") from None
        return kept["status"]

    # requests

    def raw(self, timeout=15.0, **arguments):
        return RawClient(self.address, timeout=timeout * SLOW, **arguments)

    def request(self, method="GET", target="/", headers=(), body=None, timeout=15.0, **arguments):
        """One request on a connection of its own."""
        with self.raw(timeout=timeout) as client:
            return client.request(method, target, headers={"Connection": "close", **dict(headers)}, body=body, **arguments)

    def get(self, target="/", **arguments):
        return self.request("GET", target, **arguments)

    def can_connect(self):
        return can_connect(self.address)

    # end

    def finish(self):
        """Stops what still runs and checks what was left behind."""
        if self.process is None:
            return
        problems = []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20 * SLOW)
            except subprocess.TimeoutExpired:
                problems.append("the master did not end 20 s after SIGTERM")
                self.process.kill()
                self.process.wait()
        if self.process.returncode != self.expected_exit and not problems:
            problems.append(f"exit code {self.process.returncode}, expected {self.expected_exit}")
        problems += self.left_processes()
        problems += self.reports()
        if problems:
            raise AssertionError("\n".join(problems) + "\n--- log ---\n" + self.log_tail())

    def left_processes(self):
        def left():
            self.reap()
            return {
                pid: state
                for pid, state in processes_of_session(self.process.pid).items()
                if not (state == "Z" and self.may_leave_zombies)
            }

        try:
            wait_until(lambda: not left(), 10 * SLOW)
        except AssertionError:
            pids = left()
            names = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids}
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return [f"processes left behind: {pids} {names}"]
        return []

    def reap(self):
        """This process may be the subreaper of orphans (see conftest.py)."""
        for pid in processes_of_session(self.process.pid):
            if parent_of(pid) == os.getpid() and pid != self.process.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def reports(self):
        problems = [f"{path.name}:\n{path.read_text(errors='replace')}" for path in self.folder.glob("sanitizer*")]
        for line in self.log().splitlines():
            if "CHECK(" in line or "AddressSanitizer" in line or "runtime error: " in line or "LeakSanitizer" in line:
                problems.append(line)
        return problems

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill_all(self):
        if self.process is None:
            return
        for pid in processes_of_session(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


if __name__ == "__main__":
    sys.exit("this is a library of the tests; run tests/e2e/run")
