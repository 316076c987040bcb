# SPDX-License-Identifier: MIT
"""A master for tests of `gunwale-worker` alone: speaks the messages of src/tables/messages.def with a real template.

Wants a real process, a real link and a real board; only the master's decisions are the test's.
"""

import ctypes
import json
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
TABLES = os.path.join(SOURCE, "src", "tables")

BOARD_HEAD, BOARD_LINE = 4096, 8192
BOARD_SLOTS = 2048
BOARD_MAGIC = 0x4C4E5747
BOARD_LAYOUT = 2
PR_SET_CHILD_SUBREAPER = 36
PHASES = ("none", "boot", "load", "serve", "drain", "exit")
SERVE, CHECK = 0, 1


def _read_table(name):
    with open(os.path.join(TABLES, name), encoding="utf-8") as table:
        return re.sub(r"/\*.*?\*/", "", table.read(), flags=re.DOTALL)


def _read_messages():
    """{name: (id, [(kind, field)])} in the order of the table; ids begin at 1."""
    rows = re.findall(r"MESSAGE\((\w+), \w+,(.*?)\)\s*$", _read_table("messages.def"), flags=re.MULTILINE)
    return {
        name: (number, re.findall(r"(U32|I32|U64|TEXT)\((\w+)\)", fields))
        for number, (name, fields) in enumerate(rows, 1)
    }


MESSAGES = _read_messages()
HOOKS = re.findall(r"HOOK\((\w+),", _read_table("hooks.def"))
REMEDIES = re.findall(r"REMEDY\((\w+), (?:AGENT|MASTER)", _read_table("remedies.def"))
SETTINGS = re.findall(r"^SETTING\((\w+),", _read_table("settings.def"), flags=re.MULTILINE)
NUMBERS = {"U32": "=I", "I32": "=i", "U64": "=Q"}


def encode(name, values):
    number, fields = MESSAGES[name]
    data = struct.pack("=I", number)
    for kind, field in fields:
        if kind == "TEXT":
            text = values[field].encode()
            data += struct.pack("=I", len(text)) + text
        else:
            data += struct.pack(NUMBERS[kind], values[field])
    return data


def decode(data):
    number = struct.unpack_from("=I", data)[0]
    name, (_, fields) = next(item for item in MESSAGES.items() if item[1][0] == number)
    at, values = 4, {}
    for kind, field in fields:
        if kind == "TEXT":
            length = struct.unpack_from("=I", data, at)[0]
            at += 4
            values[field] = data[at:at + length].decode()
            at += length
        else:
            values[field] = struct.unpack_from(NUMBERS[kind], data, at)[0]
            at += struct.calcsize(NUMBERS[kind])
    return name, values


class Link:
    """One end of a link, with the other one for the peer."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(20)

    def send(self, name, fds=(), **values):
        socket.send_fds(self.ours, [encode(name, values)], list(fds))

    def receive(self):
        """(name, values), or None at the end of file."""
        try:
            data = self.ours.recv(256 * 1024)
        except ConnectionResetError:  # the peer left something unread; what it sent before is still there
            data = self.ours.recv(256 * 1024)
        return decode(data) if data else None

    def expect(self, name):
        got = self.receive()
        assert got is not None, f"end of file instead of '{name}'"
        assert got[0] == name, got
        return got[1]


class Worker:
    """A forked worker as its master sees it."""

    def __init__(self, master, slot, serial, link):
        self.master, self.slot, self.serial, self.link = master, slot, serial, link
        self.pid = None

    def phase(self):
        return PHASES[self.master.board_u32(self.slot, 12)]

    def kill(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Its wait status; it must be our child."""
        return os.waitpid(self.pid, 0)[1]

    def exit_code(self):
        return os.waitstatus_to_exitcode(self.wait())


class Master:
    """Starts a template; use as a context manager."""

    def __init__(self, program, directory, env=None, environ=None, user=None):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.directory = str(directory)
        self.link = Link()
        self.board_fd = os.memfd_create("board")
        os.ftruncate(self.board_fd, BOARD_HEAD + BOARD_LINE * BOARD_SLOTS)
        self.board = mmap.mmap(self.board_fd, BOARD_HEAD + BOARD_LINE * BOARD_SLOTS)
        self.board[0:12] = struct.pack("=III", BOARD_MAGIC, BOARD_LAYOUT, os.getpid())
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.serial = 0
        self.workers = []
        self.output_path = os.path.join(self.directory, "stderr.txt")
        environment = dict(os.environ if environ is None else environ)
        environment.update(env or {})
        with open(self.output_path, "ab") as output:
            self.process = self._start(program, environment, output, user)
        self.link.theirs.close()

    def _start(self, program, environment, output, user):
        link_fd, board_fd = self.link.theirs.fileno(), self.board_fd

        def place_fds():
            # High first: 3 or 4 may be one of the two.
            high_link = os.dup2(link_fd, 1000, inheritable=False)
            high_board = os.dup2(board_fd, 1001, inheritable=False)
            os.dup2(high_link, 3)
            os.dup2(high_board, 4)

        return subprocess.Popen([os.path.abspath(program), "--role", "template"], cwd=self.directory, env=environment,
                                stdout=output, stderr=output, close_fds=False, preexec_fn=place_fds, user=user)

    def board_u32(self, slot, at):
        return struct.unpack_from("=I", self.board, BOARD_HEAD + BOARD_LINE * slot + at)[0]

    def output(self):
        with open(self.output_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def configure(self, config=None, argv=("/usr/bin/gunwale", "app:app")):
        launch = {"argv": list(argv), "config": config, "names": SETTINGS, "cwd": self.directory}
        self.link.send("configure", launch=json.dumps(launch))

    def configured(self, config=None):
        self.configure(config)
        values = json.loads(self.link.expect("configured")["values"])
        return {name: value for name, value in values.items() if not name.startswith("__")}

    def go(self, app="app:app", purpose=SERVE, **settings):
        settings.setdefault("bind", [f"127.0.0.1:{self.address[1]}"])
        self.link.send("go", [self.listener.fileno()], generation=1, purpose=purpose,
                       settings=json.dumps(settings), app=app)

    def start(self, app="app:app", config=None, **settings):
        self.configured(config)
        self.go(app, **settings)
        self.link.expect("loaded")

    def fork(self, request_limit=0):
        """Asks for a worker and waits for its pid."""
        self.serial += 1
        link = Link()
        worker = Worker(self, self.serial - 1, self.serial, link)
        self.link.send("fork_worker", [link.theirs.fileno()], slot=worker.slot, serial=worker.serial,
                       request_limit=request_limit)
        link.theirs.close()
        forked = self.link.expect("forked")
        assert (forked["slot"], forked["serial"]) == (worker.slot, worker.serial)
        worker.pid = forked["pid"]
        self.workers.append(worker)
        return worker

    def run_hook(self, name, **arguments):
        self.link.send("run_hook", hook=HOOKS.index(name), arguments=json.dumps(arguments))

    def ask(self):
        """One connection to the workers: everything that comes back."""
        with socket.create_connection(self.address, timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            pieces = []
            while piece := connection.recv(65536):
                pieces.append(piece)
        return b"".join(pieces).decode("latin-1")

    def close(self):
        for worker in self.workers:
            try:
                os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        self.link.ours.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        self.board.close()
        os.close(self.board_fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_until(condition, seconds=10):
    """Polls; a test says what it waits for and never sleeps on its own."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
