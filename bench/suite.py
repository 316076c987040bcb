# SPDX-License-Identifier: MIT
"""What bench/run runs when everything is installed: rounds over servers and workloads, each result a line of JSON.

    bench/run [--workloads A,B] [--servers A,B] [--connections N,N] [--workers N,N] [--rounds N] [--seconds N] [--quick]
    bench/run --goals            what the goals of goals.py need, and whether they are held
    bench/run --report FILE.jsonl

In a round each workload is put on every server, one after the other and beginning with another one in each round, so that all
see the same weather. With one worker the server has the first processor and the load the second; with more nothing is pinned.
A server that fails gets an error in its cell and ends nothing.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import sys

import goals
import measure
import peers
import report
import workloads

HERE = pathlib.Path(__file__).resolve().parent


class Place:
    """Where things are: the build, the peers' virtual environment, the file that is sent, the results."""

    def __init__(self, build, venv, results):
        self.build, self.venv, self.results = build.resolve(), venv.absolute(), results
        results.mkdir(parents=True, exist_ok=True)
        self.file = self.venv / "10mb"
        if not self.file.exists() or self.file.stat().st_size != 10 << 20:
            self.file.write_bytes(b"f" * (10 << 20))


class Suite:
    def __init__(self, place, servers, seconds, out):
        self.place, self.servers, self.seconds, self.out = place, servers, seconds, out
        self.gc = None
        processors = sorted(os.sched_getaffinity(0))
        self.pins = ({processors[0]}, {processors[1]}) if len(processors) > 1 else (None, None)

    def write(self, kind, **fields):
        self.out.write(json.dumps({"kind": kind, **fields}) + "\n")
        self.out.flush()

    def in_turn(self, number, rounds, suits):
        """The servers of a round, from another one on each time."""
        names = [name for name in self.servers if suits(peers.SERVERS[name])]
        first = number * len(names) // rounds if names else 0
        return names[first:] + names[:first]

    def start(self, name, workload, workers):
        pin = self.pins[0] if workers == 1 else None
        return measure.Running(name, self.place, workload, workers, pin, self.gc)

    def ask_gc(self):
        self.gc = gc_of_gunwale(self.place)
        self.write("gc", **self.gc)

    def step(self, number, rounds, step):
        for name in self.in_turn(number, rounds, lambda server: step.workload.suits(server, step.workers)):
            key = {"round": number, "workload": step.workload.name, "workers": step.workers, "server": name}
            connections = None
            try:
                with self.start(name, step.workload, step.workers) as server:
                    server.verify()
                    for connections in step.connections:
                        pinned = step.workers == 1
                        figures = server.load(connections, self.seconds, self.pins[1] if pinned else None, 1 if pinned else 2)
                        self.write("load", **key, connections=connections, pss_kb=server.pss_kb(), **figures)
                        tell(number, step, name, connections, figures)
            except (measure.Failed, OSError) as error:
                for count in step.connections[step.connections.index(connections) if connections else 0:]:
                    self.write("failure", **key, connections=count, error=str(error))
                print(f"{number + 1}  {step.workload.name}  {name}: {error}", flush=True)

    def starts(self, number, rounds):
        """Cold start and restart, of one worker and the small application."""
        for name in self.in_turn(number, rounds, lambda server: server.has_python):
            key = {"round": number, "server": name}
            try:
                with self.start(name, workloads.STAMP, 1) as server:
                    server.verify()
                    fields = {"cold_ms": server.cold_ms, "pss_kb": server.pss_kb()}
                    if peers.SERVERS[name].reloads:
                        try:
                            fields["restart_ms"], fields["failed"] = server.restart_ms()
                        except measure.Failed as error:
                            fields["error"] = str(error)
                self.write("start", **key, **fields)
            except (measure.Failed, OSError) as error:
                self.write("start", **key, error=str(error))

    def sharing(self, number, connections):
        """What each of two workers got of requests and of connections."""
        for name in self.in_turn(number, 1, lambda server: server.name.startswith("gunwale")):
            key = {"round": number, "server": name, "connections": connections}
            try:
                with self.start(name, workloads.WORKLOADS["flask"], 2) as server:
                    server.verify()
                    before = counters(server.status())
                    server.load(connections, self.seconds, None, 1)
                    after = counters(server.status())
                got = [[after[slot][n] - before.get(slot, (0, 0))[n] for slot in sorted(after)] for n in (0, 1)]
                self.write("sharing", **key, requests=got[0], shared_connections=got[1])
            except (measure.Failed, OSError) as error:
                self.write("failure", workload="sharing", workers=2, error=str(error), **key)


def gc_of_gunwale(place):
    """How it sets the garbage collector, for bjoern-gc."""
    with measure.Running("gunwale-sync", place, workloads.STAMP) as server:
        return {name: value for name, value in server.stamp().items() if name not in ("pid", "loaded")}


def counters(status):
    return {row["slot"]: (row["requests_total"], row["connections_total"]) for row in status["workers"]}


def tell(number, step, name, connections, figures):
    errors = f"  errors {figures['errors']:,}" if figures["errors"] else ""
    print(f"{number + 1}  {step.workload.name} x{step.workers} c{connections}  {name}: {figures['cpu_us']:.1f} us, "
          f"{figures['rps']:,.0f}/s, p99 {figures['p99_us'] / 1000:.2f} ms{errors}", flush=True)


def machine():
    model = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release()}


def numbers(text):
    return tuple(map(int, text.split(",")))


def names(known):
    def parse(text):
        wanted = text.split(",")
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return wanted

    return parse


def parse():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=names(workloads.WORKLOADS), help=", ".join(workloads.WORKLOADS))
    parser.add_argument("--servers", type=names(peers.SERVERS), help=", ".join(peers.SERVERS))
    parser.add_argument("--connections", type=numbers)
    parser.add_argument("--workers", type=numbers)
    parser.add_argument("--rounds", type=int, help="default 3; 7 for --goals, 2 for --quick")
    parser.add_argument("--seconds", type=int, default=1, help="of load for a cell in a round")
    parser.add_argument("--base", choices=list(peers.SERVERS), default="gunwale-sync", help="what ratios are against")
    parser.add_argument("--quick", action="store_true", help="a part of the servers, and of the workloads: " + ", ".join(workloads.QUICK))
    parser.add_argument("--goals", action="store_true")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE.jsonl")
    parser.add_argument("--build", type=pathlib.Path, default=os.environ.get("BENCH_BUILD"), help="a finished build; without it build/bench is made")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    return parser.parse_args()


def plan(a):
    if a.goals:
        return goals.steps(), a.rounds or 7
    if a.quick:
        return workloads.steps(a.workloads or workloads.QUICK, a.workers or (1,), a.connections or (64,)), a.rounds or 2
    return workloads.steps(a.workloads or workloads.WORKLOADS, a.workers, a.connections), a.rounds or 3


def run(a):
    place = Place(a.build, pathlib.Path(os.environ["BENCH_VENV"]), a.results)
    wanted = a.servers or (goals.servers() if a.goals else list(peers.SERVERS))
    if a.quick and not a.servers:
        wanted = [name for name in wanted if name not in workloads.QUICK_WITHOUT]
    missing = tell_missing(wanted, place.venv)
    now = datetime.datetime.now(datetime.timezone.utc)
    path = place.results / f"{now:%Y%m%d-%H%M%S}.jsonl"
    todo, rounds = plan(a)
    with open(path, "w") as out:
        suite = Suite(place, [name for name in wanted if name not in missing], a.seconds, out)
        suite.write("run", date=f"{now:%Y-%m-%d %H:%M} UTC", command=sys.argv[1:], base=a.base, rounds=rounds, seconds=a.seconds,
                    missing=missing, machine=machine(), versions=peers.versions(place.build, place.venv),
                    account="cgroup" if can_account() else "/proc")
        suite.ask_gc()
        for number in range(rounds):
            for step in todo:
                suite.step(number, rounds, step)
            if a.goals:
                for connections in goals.SHARING:
                    suite.sharing(number, connections)
            elif not a.workloads:
                suite.starts(number, rounds)
    return path


def tell_missing(wanted, venv):
    """The servers that are not installed; each is named."""
    missing = [name for name in wanted if not peers.is_there(peers.SERVERS[name], venv)]
    for name in missing:
        print(f"left out, because it is not installed: {name}")
    return missing


def can_account():
    account = measure.Account()
    account.close()
    return bool(account.folder)


def main():
    measure.end_cleanly()
    a = parse()
    report.write(a.report or run(a))


if __name__ == "__main__":
    main()
