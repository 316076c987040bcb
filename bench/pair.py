# SPDX-License-Identifier: MIT
"""Processor time per request of servers that are under load at the same time.

    bench/run pair [--workload hello] [--servers gunwale-sync,bjoern,nginx] [--builds FOLDER,FOLDER] [--connections N]
                   [--rounds N] [--seconds N]

All share the first processor, their loads the second: whatever disturbs one in the same second disturbs the others, so that a
difference of one per cent shows on a machine where two rounds one after the other differ by ten. No other figure than processor time
means anything here, and each server loses a little by the others' use of the caches. With --builds the servers are the first of
--servers from each of these build folders. Ratios are those of the first server; medians, and between which values half of the
rounds lie. Prints a Markdown table.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import statistics

import lib
import measure
import peers
import suite
import workloads


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a number from 1 up")
    return number


def choose(a, venv):
    """Names of servers, and the build of each: what is not installed, or cannot do that, is named and left out."""
    if a.builds:
        return [a.servers[0]] * len(a.builds), a.builds
    missing, chosen = suite.tell_missing(a.servers, venv), []
    for name in a.servers:
        if name in missing:
            continue
        if not workloads.WORKLOADS[a.workload].suits(peers.SERVERS[name], 1):
            print(f"left out, because {a.workload} does not suit it: {name}")
        else:
            chosen.append(name)
    return chosen, [a.build] * len(chosen)


def start(stack, name, place, a, pin, gc):
    running = stack.enter_context(measure.Running(name, place, workloads.WORKLOADS[a.workload], 1, pin, gc))
    running.verify()
    return running


def round_of(pool, servers, a):
    loads = [pool.submit(server.load, a.connections, a.seconds) for server in servers]
    return [load.result()["cpu_us"] for load in loads]


def parse():
    parser = argparse.ArgumentParser(prog="bench/run pair", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=list(workloads.WORKLOADS), default="hello")
    parser.add_argument("--servers", type=suite.names(peers.SERVERS), default=["gunwale-sync", "bjoern", "nginx"])
    parser.add_argument("--builds", type=lambda text: [pathlib.Path(folder) for folder in text.split(",")])
    parser.add_argument("--connections", type=positive, default=64)
    parser.add_argument("--rounds", type=positive, default=10)
    parser.add_argument("--seconds", type=positive, default=2)
    parser.add_argument("--build", type=pathlib.Path, default=os.environ.get("BENCH_BUILD"))
    return parser.parse_args()


def main():
    measure.end_cleanly()
    a = parse()
    venv, results = pathlib.Path(os.environ["BENCH_VENV"]), suite.HERE / "results"
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2 or not suite.can_account():
        raise SystemExit("bench/run pair needs two processors and, for exact processor time, root and a cgroup")
    servers, builds = choose(a, venv)
    if len(servers) < 2:
        raise SystemExit("bench/run pair needs two servers")
    labels = [f"{name}, {build}" for name, build in zip(servers, builds)] if a.builds else servers
    places = [suite.Place(pathlib.Path(build), venv, results) for build in builds]
    with contextlib.ExitStack() as stack:
        gc = suite.gc_of_gunwale(places[0])
        running = [start(stack, name, place, a, processors[:1], gc) for name, place in zip(servers, places)]
        # wrk runs where the thread that starts it does.
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(servers), initializer=os.sched_setaffinity,
                                                                         initargs=(0, processors[1:2])))
        round_of(pool, running, a)
        rounds = [round_of(pool, running, a) for _ in range(a.rounds)]
    lib.header("server", f"CPU us per request, {a.workload}", f"{labels[0]} is of it", "half of the rounds")
    for label, figures in zip(labels, zip(*rounds)):
        ratios = [ours / theirs for ours, theirs in zip(list(zip(*rounds))[0], figures)]
        low, high = (lib.percentile(ratios, share) for share in (0.25, 0.75))
        lib.row(label, f"{statistics.median(figures):.2f}", f"{statistics.median(ratios):.3f}", f"{low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
