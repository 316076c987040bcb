#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long it takes from crossing a hard budget to memory given back, while one request grows without end.

    bench/giveback.py BUILD [--runs N] [--limit MB] [--rate MB] [--workers N] [--kinds list,call,lock] [--verbose]

Each run: a fresh server with default settings in a memory cgroup, one request that grows at --rate MB per second in pieces of
1 MB. list: a Python list of them; call: within one call of C, which waits in between without Python's lock; lock: the same, which
computes in between with the lock held. Watched from outside each millisecond. The time begins when the service's use is above the
hard line (92 % of the limit), or growing as it does is less than 250 ms from the limit; it ends when half of what the request
had taken is back, or the worker is gone. Needs root.
"""

import argparse
import os
import pathlib
import re
import socket
import threading
import time

import lib

HARD_PERCENT = 92  # as in src/master/budget.c
AHEAD_SECONDS = 0.25
SLOPE_SECONDS = 0.1
PAGE = os.sysconf("SC_PAGE_SIZE")
KINDS = ("list", "call", "lock")
# Growth ends at twice the limit: what was not stopped by then has been killed by the kernel.
APP = """
import itertools
import operator
import time

MB = 1 << 20
RATE = {rate}
PIECES = {pieces}


def seconds_of(count):
    begun = time.perf_counter()
    sum(range(count))
    return time.perf_counter() - begun


def numbers_for(seconds):
    return int(100000 * seconds / min(seconds_of(100000) for _ in range(10)))


COPY_SECONDS = 0.0004
NUMBERS = numbers_for(max(1 / RATE - COPY_SECONDS, 0.0001))


def grow_list():
    kept = []
    begun = time.monotonic()
    for i in range(PIECES):
        kept.append(b"x" * MB)
        late = begun + (i + 1) / RATE - time.monotonic()
        if late > 0:
            time.sleep(late)
    return kept


def pieces():
    return map(operator.mul, itertools.repeat(b"x"), itertools.repeat(MB, PIECES))


def grow_call():
    return list(zip(pieces(), map(time.sleep, itertools.repeat(max(1 / RATE - COPY_SECONDS, 0)))))


def grow_lock():
    return list(zip(pieces(), map(sum, itertools.repeat(range(NUMBERS)))))


def app(environ, start_response):
    grow = globals().get("grow_" + environ["PATH_INFO"][1:])
    if grow is not None:
        kept = grow()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""


class Watch:
    """Reads of the cgroup and of the workers, each millisecond, by a thread."""

    def __init__(self, cgroup, pids):
        self.version = cgroup.version
        self.stat = os.open(cgroup.folder / "memory.stat", os.O_RDONLY)
        self.statm = {pid: os.open(f"/proc/{pid}/statm", os.O_RDONLY) for pid in pids}
        self.samples = []  # (time, bytes used by the service, {pid: RSS in bytes})
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def used(self):
        """What the kernel kills for: as budget_used() in src/master/budget.c."""
        stat = dict(line.split() for line in os.pread(self.stat, 8192, 0).decode().splitlines())
        names = ("anon", "shmem", "kernel", "sock") if self.version == 2 else ("total_rss", "total_shmem")
        return sum(int(stat.get(name, 0)) for name in names)

    def rss(self, pid):
        """0: it is gone."""
        try:
            return int(os.pread(self.statm[pid], 256, 0).split()[1]) * PAGE
        except (OSError, IndexError):
            return 0

    def run(self):
        while not self.over.is_set():
            self.samples.append((time.monotonic(), self.used(), {pid: self.rss(pid) for pid in self.statm}))
            time.sleep(0.001)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for fd in [self.stat, *self.statm.values()]:
            os.close(fd)


def crossing(samples, limit):
    """When the budget was crossed, or the prediction said so; None: never."""
    behind = 0
    for now, used, _ in samples:
        while now - samples[behind][0] > SLOPE_SECONDS:
            behind += 1
        since, before, _ = samples[behind]
        slope = (used - before) / (now - since) if now > since and behind > 0 else 0
        if used > limit * HARD_PERCENT / 100 or used + slope * AHEAD_SECONDS > limit:
            return now
    return None


def relief(samples):
    """When half of what the request had taken was back, the guilty pid, and the most its worker had; the time is None: never."""
    first = samples[0][2]
    guilty = max(first, key=lambda pid: max(rss[pid] for _, _, rss in samples))
    top = max(range(len(samples)), key=lambda i: samples[i][2][guilty])
    peak = samples[top][2][guilty]
    half = first[guilty] + (peak - first[guilty]) / 2
    return next((now for now, _, rss in samples[top:] if rss[guilty] < half), None), guilty, peak


def ask(address, path):
    """The status, or what became of the connection."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        try:
            answer = client.recv(4096)
        except ConnectionResetError:
            return "reset"
        except TimeoutError:
            return "no answer"
    found = re.match(rb"HTTP/1\.\d (\d+) ", answer)
    return found.group(1).decode() if found else "closed"


def run_once(arguments, folder, kind):
    limit = arguments.limit * lib.MB
    with lib.memory_cgroup(limit) as cgroup, lib.Server(arguments.build, folder, [], arguments.workers, cgroup=cgroup) as server:
        time.sleep(0.5)  # the server has seen itself at rest
        with Watch(cgroup, server.worker_pids()) as watch:
            time.sleep(2 * SLOPE_SECONDS)
            asked = time.monotonic()
            client = ask(server.address, f"/{kind}")
            answered = time.monotonic()
            time.sleep(0.5)
        crossed = crossing(watch.samples, limit)
        given_back, guilty, peak_rss = relief(watch.samples)
        try:
            pathlib.Path(f"/proc/{guilty}/statm").read_text()
            lives = guilty in server.worker_pids()
        except OSError:
            lives = False
        log = server.log()
        gaps = [b[0] - a[0] for a, b in zip(watch.samples, watch.samples[1:])]
        grown = [(now, rss[guilty]) for now, _, rss in watch.samples if asked <= now and (crossed is None or now <= crossed)]
        rate = (grown[-1][1] - grown[0][1]) / (grown[-1][0] - grown[0][0]) / lib.MB if len(grown) > 1 else 0
        if arguments.verbose:
            print(f"{kind}: {client}, {'lives' if lives else 'gone'}\n" + log)
        return {
            "client": client,
            "ms": (given_back - crossed) * 1000 if crossed and given_back else None,
            "answer_ms": (answered - crossed) * 1000 if crossed else None,
            "peak": cgroup.peak_bytes / lib.MB,
            "peak_rss": peak_rss / lib.MB,
            "kills": cgroup.oom_kills,
            "lives": lives,
            "rate": rate,
            "gap_ms": max(gaps) * 1000,
            "remedies": [name for name in re.findall(r"Memory: (\w+) ", log) if name.islower()],
        }


def tally(values):
    return ", ".join(f"{value} {values.count(value)}" for value in sorted(set(values))) or "none"


def measure(arguments, folder, kind):
    runs = [run_once(arguments, folder, kind) for _ in range(arguments.runs)]
    times = [run["ms"] for run in runs if run["ms"] is not None]
    shares = [f"{lib.percentile(times, share):.0f}" for share in (0.5, 0.99, 1)] if times else ["none"] * 3
    answers = [run["answer_ms"] for run in runs if run["answer_ms"] is not None]
    lib.row(kind, len(runs), *shares, len(runs) - len(times), f"{lib.percentile(answers, 0.5):.0f}" if answers else "none",
            f"{max(run['peak'] for run in runs):.0f}", f"{max(run['peak_rss'] for run in runs):.0f}",
            sum(run["kills"] for run in runs), tally([run["client"] for run in runs]), sum(run["lives"] for run in runs),
            tally([name for run in runs for name in run["remedies"]]), lib.spread([run["rate"] for run in runs], 0),
            f"{max(run['gap_ms'] for run in runs):.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--limit", type=int, default=256, help="of the memory cgroup, in MB")
    parser.add_argument("--rate", type=int, default=300, help="MB per second")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--verbose", action="store_true", help="print each run's log")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    app = APP.replace("{rate}", str(arguments.rate)).replace("{pieces}", str(2 * arguments.limit))
    lib.header("kind", "runs", "p50 ms", "p99 ms", "max ms", "not measured", "answer p50 ms", "peak MB", "peak worker RSS MB",
               "OOM kills", "client got", "worker lives", "remedies", "growth MB/s", "longest gap of samples ms")
    with lib.scratch(app) as folder:
        for kind in arguments.kinds.split(","):
            measure(arguments, folder, kind)


if __name__ == "__main__":
    main()
