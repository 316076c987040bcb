#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts failed requests while workers are replaced all the time, and what that costs in requests per second.

    bench/recycling.py BUILD [--requests N] [--rounds N] [--age S] [--jitter S] [--max-requests N] [--workers N]
                             [--clients N] [--classes "sync;gthread"] [--kinds "tcp;tls, close"]

Each row: N requests with recycling and N without, in rounds that take turns, each with a server of its own. By default workers
are replaced for their age, one at a time, so that the rate does not depend on the machine's speed: 4 workers that live 1 to 3
seconds are two a second.
"""

import argparse
import pathlib

import lib

KINDS = ("tcp", "tcp, close", "tls", "tls, close")


def measure_round(arguments, folder, worker_class, kind, is_recycling, requests):
    """The figures of load, and how many workers were replaced meanwhile."""
    ours, theirs, is_unix = lib.KINDS[kind]
    limits = ["-k", worker_class, "--threads", str(arguments.threads if worker_class == "gthread" else 1), *ours]
    if is_recycling:
        limits += ["--max-recycling", "1", "--max-requests", str(arguments.max_requests),
                   "--max-requests-jitter", str(arguments.max_requests // 10), "--max-worker-age", str(arguments.age),
                   "--max-worker-age-jitter", str(arguments.jitter)]
    with lib.Server(arguments.build, folder, limits, arguments.workers, is_unix) as server:
        if is_recycling and arguments.age > 0:  # until their ages differ: a round may be shorter than a worker's life
            server.wait_for(lambda: server.count("Recycling worker") >= arguments.workers, "each worker replaced once", 60)
        before = server.count("Recycling worker")
        figures = server.load("-n", requests, "-c", arguments.clients, *theirs)
        return figures, server.count("Recycling worker") - before


def measure(arguments, folder, worker_class, kind):
    recycled, steady, ratios, replaced = {}, {}, [], 0
    share = arguments.requests // arguments.rounds
    for i in range(arguments.rounds):
        # Who begins takes turns as well.
        for is_recycling in (True, False) if i % 2 == 0 else (False, True):
            figures, count = measure_round(arguments, folder, worker_class, kind, is_recycling, share)
            lib.add_load(recycled if is_recycling else steady, figures)
            replaced += count
        ratios.append(recycled["rps"][-1] / steady["rps"][-1])
    seconds = sum(recycled["seconds"])
    lib.row(worker_class, kind, recycled["requests"], lib.failures(recycled), recycled["race"], lib.failures(steady),
            lib.spread(recycled["rps"], 0), lib.spread(steady["rps"], 0), lib.spread(ratios, 3), replaced,
            f"{replaced / seconds:.2f}", f"{max(recycled['p99_ms']):.2f}", f"{max(steady['p99_ms']):.2f}")
    return recycled["requests"], recycled["failed"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=250000, help="for each row")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--age", type=int, default=1, help="max_worker_age; 0: none")
    parser.add_argument("--jitter", type=int, default=2, help="max_worker_age_jitter")
    parser.add_argument("--max-requests", type=int, default=0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=4, help="of gthread")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--classes", default="sync;gthread", help="separated by semicolons")
    parser.add_argument("--kinds", default=";".join(KINDS), help="separated by semicolons")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    requests = failed = 0
    lib.header("class", "kind", "requests", "failed", "of these races", "failed without", "requests/s recycling", "without",
               "ratio", "workers replaced", "a second", "p99 ms", "without")
    with lib.scratch() as folder:
        for worker_class in arguments.classes.split(";"):
            for kind in arguments.kinds.split(";"):
                more, bad = measure(arguments, folder, worker_class, kind)
                requests += more
                failed += bad
    print(f"\n{requests:,} requests during recycling, {failed:,} failed.")


if __name__ == "__main__":
    main()
