# SPDX-License-Identifier: MIT
"""The control socket as a client sees it, and gunwalectl, alone or in a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import time

from rawclient import SLOW, wait_until
from server import BUILD

PROGRAM = BUILD / "gunwalectl"


class Control:
    """One connection: a line for a line."""

    def __init__(self, path, timeout=15 * SLOW):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.file.close()
        self.sock.close()

    def send(self, line):
        self.sock.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")

    def read(self):
        """The next reply; None at the end."""
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, command, **more):
        self.send(json.dumps({"command": command, **more}))
        return self.read()


def ask(path, command, **more):
    with Control(path) as control:
        return control.ask(command, **more)


def ctl(*arguments, env=None, cwd=None, timeout=30):
    """Runs gunwalectl to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUNWALE_CONTROL")}
    return subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        cwd=cwd,
        env={**environment, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout * SLOW,
        check=False,
    )


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, arguments, columns=80, rows=24, env=None):
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.output = ""
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.slave = slave

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read(self):
        """Takes what is there; returns all that ever was."""
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536).decode("utf-8", "replace")
        return self.output

    def wait_output(self, regex, since=0, timeout=15):
        pattern = re.compile(regex)
        try:
            return wait_until(lambda: pattern.search(self.read(), since), timeout * SLOW)
        except AssertionError:
            raise AssertionError(f"not on the screen: {regex}\n{self.output[since:]!r}") from None

    def wait_exit(self, timeout=15):
        end = time.monotonic() + timeout * SLOW

        def ended():
            self.read()  # else it may be stuck in a full terminal
            return self.process.poll() is not None

        wait_until(ended, max(0.1, end - time.monotonic()))
        self.read()
        return self.process.returncode

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before
