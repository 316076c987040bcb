# SPDX-License-Identifier: MIT
"""
A memory cgroup of a given size: made, entered by a server, read from outside, removed. Versions 1 and 2.

    with Container("gunwale-example", 256 << 20) as container:
        subprocess.Popen(container.command(["program", "argument"]))
        container.read()["used_bytes"]

Used by run.py and by the end-to-end tests.
"""

import contextlib
import os
import pathlib
import signal
import sys
import time


class Unavailable(Exception):
    """No memory cgroup can be made here; the text says why."""


def unescape(text):
    return text.encode().decode("unicode_escape")


def find_mount():
    """("v1" or "v2", the folder of the memory controller). The last mount of a kind is the one that is seen."""
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        folder = pathlib.Path(unescape(left.split(" ")[4]))
        if kind == "cgroup" and "memory" in options.split(","):
            found["v1"] = folder
        elif kind == "cgroup2" and "memory" in (folder / "cgroup.controllers").read_text().split():
            found["v2"] = folder
    for version in ("v1", "v2"):  # a controller is in one hierarchy only
        if version in found:
            return version, found[version]
    raise Unavailable("the memory controller of cgroups is mounted nowhere")


def number(path):
    """The number in a file; None when there is none, or the file says max."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def table(path):
    """{word: number} of a file with such lines; empty when it can't be read."""
    try:
        return {words[0]: int(words[1]) for words in map(str.split, path.read_text().splitlines()) if len(words) == 2}
    except (OSError, ValueError):
        return {}


class Container:
    def __init__(self, name, limit_bytes):
        if os.geteuid() != 0:
            raise Unavailable("only root may make a memory cgroup")
        self.limit_bytes = limit_bytes
        self.version, root = find_mount()
        self.folder = root / name
        if self.version == "v2":
            self.share_controller(root)
        try:
            self.folder.mkdir()
        except OSError as error:
            raise Unavailable(f"can't make {self.folder}: {error.strerror}") from None
        try:
            self.set_limits()
        except OSError as error:
            self.close()
            raise Unavailable(f"can't set the limit of {self.folder}: {error.strerror}") from None

    @staticmethod
    def share_controller(root):
        control = root / "cgroup.subtree_control"
        if "memory" in control.read_text().split():
            return
        try:
            control.write_text("+memory")
        except OSError as error:  # EBUSY inside of a container, whose processes are in its topmost group
            raise Unavailable(f"the groups below {root} can't have the memory controller: {error.strerror}") from None

    def set_limits(self):
        if self.version == "v2":
            self.write("memory.max", self.limit_bytes)
            with contextlib.suppress(OSError):  # a kernel without swap has no such file
                self.write("memory.swap.max", 0)
            return
        self.write("memory.limit_in_bytes", self.limit_bytes)
        for name, value in (
            ("memory.swappiness", 0),
            ("memory.memsw.limit_in_bytes", self.limit_bytes),
            # Version 1 counts the memory of sockets apart, and only after a limit was written; this one is never reached.
            ("memory.kmem.tcp.limit_in_bytes", 1 << 50),
        ):
            with contextlib.suppress(OSError):
                self.write(name, value)

    def write(self, name, value):
        (self.folder / name).write_text(str(value))

    # entering

    def enter(self):
        """Moves the calling process; fit for preexec_fn."""
        fd = os.open(self.folder / "cgroup.procs", os.O_WRONLY)
        os.write(fd, b"0")
        os.close(fd)

    def command(self, arguments):
        """The same arguments, started inside."""
        return ["/bin/sh", "-c", 'echo 0 >"$0" && exec "$@"', str(self.folder / "cgroup.procs"), *arguments]

    # reading

    def read(self):
        """
        usage_bytes   what the kernel compares with the limit
        used_bytes    the same without page cache that can be dropped at once
        socket_bytes  kernel memory of sockets; version 1 does not count it in usage_bytes; None where nothing tells it
        total_bytes   used_bytes and the sockets: what version 2 would compare with the limit
        """
        stat = table(self.folder / "memory.stat")
        if self.version == "v2":
            usage = number(self.folder / "memory.current")
            inactive, sockets, charged_apart = stat.get("inactive_file", 0), stat.get("sock"), 0
        else:
            usage = number(self.folder / "memory.usage_in_bytes")
            inactive, sockets = stat.get("total_inactive_file", 0), number(self.folder / "memory.kmem.tcp.usage_in_bytes")
            charged_apart = sockets or 0
        used = max((usage or 0) - inactive, 0)
        return {
            "usage_bytes": usage,
            "used_bytes": used,
            "socket_bytes": sockets,
            "total_bytes": used + charged_apart,
        }

    def peak_bytes(self):
        """The highest usage_bytes ever; None where the kernel does not keep it."""
        return number(self.folder / ("memory.peak" if self.version == "v2" else "memory.max_usage_in_bytes"))

    def oom_kills(self):
        name = "memory.events" if self.version == "v2" else "memory.oom_control"
        return table(self.folder / name).get("oom_kill", 0)

    def pids(self):
        try:
            return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    # end

    def kill_all(self, timeout=10):
        """Kills who is inside (nobody but what was started there) and waits until the last has left."""
        end = time.monotonic() + timeout
        while self.pids() and time.monotonic() < end:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def close(self):
        end = time.monotonic() + 10
        while self.folder.exists():
            self.kill_all()
            try:
                self.folder.rmdir()
            except OSError:  # the kernel needs a moment to forget the dead
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def remove(name):
    """What a run that was killed left behind. Quiet when there is nothing."""
    left = Container.__new__(Container)
    left.version, root = find_mount()
    left.folder = root / name
    left.close()


if __name__ == "__main__":
    with contextlib.suppress(Unavailable):
        remove(sys.argv[1])
