# SPDX-License-Identifier: MIT
"""Memory of four workers, each after 2,000 requests of a Flask application with SQLAlchemy and requests (apps/shop.py).

    bench/run memory [--rounds N] [--requests N] [--workers N]

The proportional set size (PSS) of the whole tree of processes, master and template included, of gunwale and gunicorn, both with
and without --preload, and of both when the application has also been asked before the fork, in interleaved rounds. Ends with 1 when
gunwale misses a goal with all that it has.
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import goals
import lib
import measure
import peers
import suite
import workloads

SHOP = workloads.Workload("shop", "Shop", "shop:app", length=(500, 5000))
VARIANTS = {
    # name: (server, more arguments)
    "gunwale": ("gunwale-sync", ()),
    "gunwale --preload": ("gunwale-sync", ("--preload",)),
    "gunwale --preload --warmup-path /": ("gunwale-sync", ("--preload", "--warmup-path", "/")),
    "gunicorn": ("gunicorn-sync", ()),
    "gunicorn --preload": ("gunicorn-sync", ("--preload",)),
    "gunicorn --preload, warmed up by a hook": ("gunicorn-sync", ("--preload", "-c", str(peers.APPS / "warm.conf.py"))),
}
OURS = "gunwale --preload --warmup-path /"
GOALS = (
    ("gunwale --preload", "gunicorn", 0.5), ("gunwale --preload", "gunicorn --preload", 0.85),
    (OURS, "gunicorn", 0.5), (OURS, "gunicorn --preload", 0.85),
)
CLIENTS = 8


def use(server, workers, wanted, seconds=300):
    """Asks until each worker has served as many; {pid: how many}."""
    served, until, broken = {}, time.monotonic() + seconds, []

    def client():
        while (len(served) < workers or min(served.values()) < wanted) and not broken:
            if time.monotonic() > until:
                broken.append(f"after {seconds} s the workers have served {sorted(served.values())}")
                return
            try:
                status, body, _ = measure.ask(server.port, SHOP)
                answer = json.loads(body)
                if status != 200 or len(answer["rows"]) != 20:
                    raise ValueError(f"wrong answer: {status}")
                served[answer["pid"]] = max(served.get(answer["pid"], 0), answer["served"])
            except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
                broken.append(repr(error))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    if broken:
        raise measure.Failed(broken[0])
    return served


def stock_shop(folder):
    """The database that all servers read."""
    os.environ["SHOP_DATABASE"] = os.path.join(folder, "shop.db")
    subprocess.run([sys.executable, "-c", "import shop; shop.stock()"], cwd=suite.HERE / "apps", check=True)


def measured(place, variant, a):
    name, more = VARIANTS[variant]
    with measure.Running(name, place, SHOP, a.workers, more=more) as server:
        served = use(server, a.workers, a.requests)
        time.sleep(1)  # what is given back after the last request is
        return {"pss": server.pss_kb() / 1024, "processes": len(server.pids()), "most": max(served.values())}


def parse():
    parser = argparse.ArgumentParser(prog="bench/run memory", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="that each worker has served at least")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--build", type=pathlib.Path, default=os.environ.get("BENCH_BUILD"))
    parser.add_argument("--results", type=pathlib.Path, default=suite.HERE / "results", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    measure.end_cleanly()
    a = parse()
    place = suite.Place(a.build, pathlib.Path(os.environ["BENCH_VENV"]), a.results)
    found = {variant: [] for variant in VARIANTS}
    names = list(VARIANTS)
    with tempfile.TemporaryDirectory() as folder:
        stock_shop(folder)
        for number in range(a.rounds):
            for variant in names[number % len(names):] + names[:number % len(names)]:
                found[variant].append(measured(place, variant, a))
                print(f"{number + 1}  {variant}: {found[variant][-1]['pss']:.1f} MB", file=sys.stderr, flush=True)
    versions = peers.versions(place.build, place.venv)
    print(f"{a.workers} workers, at least {a.requests:,} requests each, medians of {a.rounds} rounds. "
          + ", ".join(f"{name} {versions[name]}" for name in ("gunwale", "gunicorn", "python", "flask", "sqlalchemy", "requests")) + ".\n")
    lib.header("server", "PSS MB", "processes", "most requests of a worker")
    for variant, rows in found.items():
        lib.row(variant, lib.spread([row["pss"] for row in rows], 1), rows[-1]["processes"], max(row["most"] for row in rows))
    print()
    lib.header("goal", "measured", "")
    is_held = True
    for ours, theirs, limit in GOALS:
        ratio = statistics.median(mine["pss"] / other["pss"] for mine, other in zip(found[ours], found[theirs], strict=True))
        lib.row(f"{ours} at most {limit} × {theirs}", f"{ratio:.2f}", goals.told(ratio <= limit, ratio / limit))
        is_held = is_held and (ratio <= limit or ours != OURS)
    raise SystemExit(0 if is_held else 1)


if __name__ == "__main__":
    main()
