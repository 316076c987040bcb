#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What watching costs: processor time of the master and of the workers' agents, and requests per second beside no watching.

    bench/watching.py BUILD [--seconds S] [--workers 4,32,128] [--sockets N] [--limit MB] [--rounds N] [--round-seconds S]
                            [--parts cpu,sockets,rate]

Each server runs in a memory cgroup with a limit, with default settings ("act") or with --memory-policy off. Needs root, and as
many open files as there are sockets. An agent is every thread of a worker of class sync but its first.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import socket
import statistics
import threading
import time

import lib

TICK_NS = 1000000000 // os.sysconf("SC_CLK_TCK")
POLICIES = {"act": [], "off": ["--memory-policy", "off"]}


def thread_ns(task):
    """Time on a processor: to the nanosecond where the kernel keeps it so, else in ticks."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        spent = int((task / "schedstat").read_text().split()[0])
        if spent > 0:
            return spent
    try:
        fields = (task / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) * TICK_NS


def spent(server, pids):
    """Nanoseconds of the master, of all agents, of all first threads."""
    master = sum(map(thread_ns, pathlib.Path(f"/proc/{server.pid}/task").iterdir()))
    agents = mains = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            if int(task.name) == pid:
                mains += thread_ns(task)
            else:
                agents += thread_ns(task)
    return master, agents, mains


def measure_cpu(server, seconds, with_load):
    """Of a second: milliseconds of the master, of all agents, of all first threads; requests per second."""
    pids = server.worker_pids()
    figures = {"rps": 0}
    thread = threading.Thread(target=lambda: figures.update(server.load("-d", seconds + 2)))
    if with_load:
        thread.start()
    time.sleep(1)
    before, begun = spent(server, pids), time.monotonic()
    time.sleep(seconds)
    after, elapsed = spent(server, pids), time.monotonic() - begun
    if with_load:
        thread.join()
        if figures["failed"]:
            print(f"failed: {lib.failures(figures)}")
    if server.worker_pids() != pids:
        print("workers were replaced meanwhile: the figures lack those")
    return [(b - a) / 1e6 / elapsed for a, b in zip(before, after)], figures["rps"]


def print_cpu(name, policy, workers, with_load, figures):
    (master, agents, mains), rps = figures
    lib.row(name, policy, "load" if with_load else "idle", f"{master:.2f}", f"{agents:.2f}", f"{agents / workers:.3f}",
            f"{mains:.1f}", f"{rps:,}")


@contextlib.contextmanager
def start(arguments, folder, policy, workers, more=()):
    with lib.memory_cgroup(arguments.limit * lib.MB) as cgroup:
        with lib.Server(arguments.build, folder, [*POLICIES[policy], *more], workers, cgroup=cgroup) as server:
            yield server


def compare_workers(arguments, folder):
    for workers in map(int, arguments.workers.split(",")):
        for policy in POLICIES:
            with start(arguments, folder, policy, workers) as server:
                for with_load in (False, True):
                    figures = measure_cpu(server, arguments.seconds, with_load)
                    print_cpu(f"{workers} workers", policy, workers, with_load, figures)


def connect_idle(server, count):
    """Connections that have had one answer and stay open."""
    host, port = server.address.rsplit(":", 1)
    clients = []
    for _ in range(count):
        client = socket.create_connection((host, int(port)), timeout=30)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"hello"):
            piece = client.recv(4096)
            if not piece:
                raise SystemExit(f"connection {len(clients)} was closed: {answer}")
            answer += piece
        clients.append(client)
    return clients


def compare_sockets(arguments, folder):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = arguments.sockets + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    more = ["--keep-alive", "3600", "--worker-connections", str(arguments.sockets)]
    for policy in POLICIES:
        with start(arguments, folder, policy, 4, more) as server:
            with contextlib.ExitStack() as stack:
                for client in connect_idle(server, arguments.sockets):
                    stack.enter_context(client)
                for with_load in (False, True):
                    figures = measure_cpu(server, arguments.seconds, with_load)
                    print_cpu(f"4 workers, {arguments.sockets:,} open sockets", policy, 4, with_load, figures)
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if not client.recv(4096).endswith(b"hello"):
                    raise SystemExit("the last connection has not lived as long")


def compare_rates(arguments, folder):
    rates = {policy: [] for policy in POLICIES}
    ratios, failed = [], 0
    for i in range(arguments.rounds):
        # Who begins takes turns as well.
        for policy in list(POLICIES) if i % 2 == 0 else reversed(list(POLICIES)):
            with start(arguments, folder, policy, 4) as server:
                server.load("-d", 1)
                figures = server.load("-d", arguments.round_seconds)
                rates[policy].append(figures["rps"])
                failed += figures["failed"]
        ratios.append(rates["act"][-1] / rates["off"][-1])
    medians = {policy: statistics.median(rates[policy]) for policy in POLICIES}
    lib.header("rounds", "requests/s, all on", "policy off", "ratio of the medians", "median of the rounds' ratios", "failed")
    lib.row(arguments.rounds, lib.spread(rates["act"], 0), lib.spread(rates["off"], 0), f"{medians['act'] / medians['off']:.4f}",
            lib.spread(ratios, 4), failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=20, help="of each row of processor times")
    parser.add_argument("--workers", default="4,32,128")
    parser.add_argument("--sockets", type=int, default=10000)
    parser.add_argument("--limit", type=int, default=8192, help="of the memory cgroup, in MB")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--round-seconds", type=int, default=6)
    parser.add_argument("--parts", default="cpu,sockets,rate")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    parts = arguments.parts.split(",")
    with lib.scratch() as folder:
        if "cpu" in parts or "sockets" in parts:
            lib.header("server", "policy", "", "master ms/s", "all agents ms/s", "one agent ms/s", "first threads ms/s",
                       "requests/s")
        if "cpu" in parts:
            compare_workers(arguments, folder)
        if "sockets" in parts:
            compare_sockets(arguments, folder)
        if "rate" in parts:
            print()
            compare_rates(arguments, folder)


if __name__ == "__main__":
    main()
