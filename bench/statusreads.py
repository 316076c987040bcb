#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the status file very often while the server has a bad time, and counts documents that are torn, invalid or missing.

    bench/statusreads.py BUILD [--reads N] [--pause US] [--workers N] [--interval S] [--limit MB]

The file lies on a small tmpfs of its own that is full now and then; meanwhile workers are killed with -9, the server is reloaded
and clients ask. Each document must be JSON and, where the module jsonschema can be imported, fit docs/status.schema.json.
Needs root.
"""

import argparse
import collections
import contextlib
import errno
import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import lib

SCHEMA = lib.TOP / "docs/status.schema.json"


def make_judge():
    """A function that says all that is wrong with a document, as a list; and whether it knows the schema."""
    try:
        import jsonschema
    except ImportError:
        return lambda document: [] if isinstance(document, dict) and document.get("schema") == 1 else ["no document"], False
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))

    return lambda document: [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)], True


@contextlib.contextmanager
def small_disk(folder):
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=755", "gunwale-bench", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(disk):
    """True: there is not a byte left."""
    fd = os.open(disk / "ballast", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError as error:
        return error.errno == errno.ENOSPC
    finally:
        os.close(fd)


class Trouble:
    """Kills, reloads and full disks, by a thread each, until the end of the with block."""

    def __init__(self, server, disk):
        self.server, self.disk = server, disk
        self.over = threading.Event()
        self.kills = self.reloads = self.fills = 0
        self.threads = [threading.Thread(target=target) for target in (self.kill, self.reload, self.fill)]

    def kill(self):
        while not self.over.wait(random.uniform(0.1, 0.8)):
            with contextlib.suppress(OSError, IndexError):
                os.kill(random.choice(self.server.worker_pids()), signal.SIGKILL)
                self.kills += 1

    def reload(self):
        while not self.over.wait(random.uniform(0.5, 2)):
            self.server.process.send_signal(signal.SIGHUP)
            self.reloads += 1

    def fill(self):
        while not self.over.wait(random.uniform(0.2, 1)):
            self.fills += fill(self.disk)
            self.over.wait(random.uniform(0.1, 1))
            (self.disk / "ballast").unlink()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def read_often(path, reads, pause_us, judge):
    """Counts; how many different documents there were; of those, how many had which fault."""
    counts = dict.fromkeys(("good", "torn", "invalid", "missing"), 0)
    known, faults = {}, collections.Counter()
    for _ in range(reads):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            counts["missing"] += 1
            continue
        if text not in known:  # equal text, equal verdict
            try:
                wrong = judge(json.loads(text))
                known[text] = "invalid" if wrong else "good"
            except ValueError as error:
                wrong, known[text] = [f"{error}, {len(text)} bytes, the last ones {text[-100:]}"], "torn"
            faults.update(wrong)
        counts[known[text]] += 1
        time.sleep(pause_us / 1e6)
    return counts, len(known), faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--reads", type=int, default=100000)
    parser.add_argument("--pause", type=int, default=500, help="microseconds between two reads")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--interval", type=int, default=1, help="status_interval; events write at once besides")
    parser.add_argument("--limit", type=int, default=0, help="of a memory cgroup for the server, in MB; 0: none")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    judge, has_schema = make_judge()
    with lib.scratch() as folder, small_disk(folder) as disk, contextlib.ExitStack() as stack:
        cgroup = stack.enter_context(lib.memory_cgroup(arguments.limit * lib.MB)) if arguments.limit else None
        options = ["--status-file", "disk/status.json", "--status-interval", str(arguments.interval)]
        with lib.Server(arguments.build, folder, options, arguments.workers, cgroup=cgroup) as server:
            path = disk / "status.json"
            server.wait_for(path.exists, "a status file")
            clients = subprocess.Popen([arguments.build / "bench/load", "-d", "100000", "-c", "2", server.address],
                                       cwd=folder, stdout=subprocess.DEVNULL)
            begun = time.monotonic()
            try:
                with Trouble(server, disk) as trouble:
                    counts, documents, faults = read_often(path, arguments.reads, arguments.pause, judge)
                elapsed = time.monotonic() - begun
            finally:
                clients.kill()
                clients.wait()
            complaints = server.count("Can't write the status file")
            # On the mend: a fresh document comes, and nothing else lies there.
            before = json.loads(path.read_text())["server"]["time"]
            server.wait_for(lambda: json.loads(path.read_text())["server"]["time"] != before, "a fresh document", 10)
            server.wait_for(lambda: os.listdir(disk) == ["status.json"], f"a clean folder: {os.listdir(disk)}", 10)
    lib.header("reads", "torn", "invalid", "missing", "different documents", "schema checked", "kill -9", "HUP", "disk full",
               "failed writes logged", "seconds")
    lib.row(arguments.reads, counts["torn"], counts["invalid"], counts["missing"], documents, "yes" if has_schema else "no",
            trouble.kills, trouble.reloads, trouble.fills, complaints, f"{elapsed:.0f}")
    for fault, count in faults.most_common(20):
        print(f"\n{count} documents: {fault}")


if __name__ == "__main__":
    main()
