# SPDX-License-Identifier: MIT
"""A memory cgroup of a test's own, v1 or v2, whichever there is."""

import contextlib
import os
import pathlib
import uuid

import pytest

V1 = pathlib.Path("/sys/fs/cgroup/memory")
V2 = pathlib.Path("/sys/fs/cgroup")


def own_folder():
    """Where this process's memory cgroup lies, and the version; (None, None) where there is none."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(",") and (V1 / "memory.usage_in_bytes").exists():
            return V1, 1
        if controllers == "" and (V2 / "cgroup.controllers").exists():
            return V2, 2
    return None, None


class MemoryCgroup:
    def __init__(self, limit_bytes):
        base, self.version = own_folder()
        if base is None:
            pytest.skip("NO MEMORY CGROUP: there is no memory controller here")
        self.folder = base / f"gunwale-test-{uuid.uuid4().hex[:12]}"
        try:
            if self.version == 2 and "memory" not in (base / "cgroup.subtree_control").read_text().split():
                (base / "cgroup.subtree_control").write_text("+memory")
            self.folder.mkdir()
            self.limit(limit_bytes)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            pytest.skip(f"NO MEMORY CGROUP: none can be made here ({error})")

    def limit(self, limit_bytes):
        names = ("memory.max", "memory.swap.max") if self.version == 2 else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        (self.folder / names[0]).write_text(str(limit_bytes))
        with contextlib.suppress(OSError):
            (self.folder / names[1]).write_text("0" if self.version == 2 else str(limit_bytes))

    def enter(self):
        """For preexec_fn: the process and all it forks are charged to it."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def number(self, name_v2, name_v1):
        return int((self.folder / (name_v2 if self.version == 2 else name_v1)).read_text())

    @property
    def peak_bytes(self):
        return self.number("memory.peak", "memory.max_usage_in_bytes")

    @property
    def oom_kills(self):
        text = (self.folder / ("memory.events" if self.version == 2 else "memory.oom_control")).read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def remove(self):
        for pid in (self.folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(pid), 9)
        for _ in range(200):
            try:
                self.folder.rmdir()
                return
            except OSError:
                os.sched_yield()


@pytest.fixture
def memory_cgroup():
    """memory_cgroup(bytes) makes one."""
    made = []

    def make(limit_bytes):
        made.append(MemoryCgroup(limit_bytes))
        return made[-1]

    yield make
    for one in made:
        one.remove()
