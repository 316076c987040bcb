# SPDX-License-Identifier: MIT
"""What gunwale wants to reach beside its peers, and whether it did in a run: medians of the ratios within each round."""

import dataclasses
import statistics

import peers
import workloads

# All but the limit without Python, and bjoern with another's settings.
PEERS = tuple(name for name, server in peers.SERVERS.items()
              if server.has_python and not server.same_gc and not name.startswith("gunwale"))
SHARING = (16, 64)
EVEN = 0.1


@dataclasses.dataclass
class Goal:
    workload: str
    connections: int
    server: str
    peers: tuple[str, ...]
    limit: float
    field: str = "cpu_us"
    below: bool = False  # the limit itself is too much


GOALS = (
    Goal("hello", 64, "gunwale-sync", ("bjoern",), 0.85),
    Goal("hello", 64, "gunwale-sync", ("nginx",), 1.1),
    Goal("flask", 64, "gunwale-sync", ("bjoern-gc",), 1.0),
    Goal("flask", 64, "gunwale-sync", ("gunicorn-gthread",), 0.45),
    Goal("flask", 64, "gunwale-gthread", ("gunicorn-gthread",), 0.45),
    Goal("flask", 64, "gunwale-gthread", ("gunicorn-gthread",), 0.25, "p99_us"),
    Goal("flask", 64, "gunwale-gevent", ("gunicorn-gevent",), 0.6),
    Goal("stream", 16, "gunwale-sync", PEERS, 1.0, below=True),
    Goal("body", 16, "gunwale-sync", PEERS, 1.0, below=True),
)


def servers():
    wanted = {"gunwale-sync", *(name for goal in GOALS for name in (goal.server, *goal.peers))}
    return [name for name in peers.SERVERS if name in wanted]


class Only:
    """A workload for some servers."""

    def __init__(self, workload, wanted):
        self.workload, self.wanted = workload, wanted

    def __getattr__(self, name):
        return getattr(self.workload, name)

    def suits(self, server, workers):
        return server.name in self.wanted and self.workload.suits(server, workers)


def steps():
    plan = {}
    for goal in GOALS:
        plan.setdefault((goal.workload, goal.connections), set()).update((goal.server, *goal.peers))
    return [workloads.Step(Only(workloads.WORKLOADS[name], wanted), 1, (connections,))
            for (name, connections), wanted in plan.items()]


def figures(rows, goal, server):
    """By round. A round with errors tells nothing."""
    return {row["round"]: row[goal.field] for row in rows
            if row["kind"] == "load" and row["workers"] == 1 and not row["errors"]
            and (row["workload"], row["connections"], row["server"]) == (goal.workload, goal.connections, server)}


def ratios(rows, goal, peer):
    """(the median ratio, the server's median, the peer's median), or None where nothing was measured."""
    ours, theirs = figures(rows, goal, goal.server), figures(rows, goal, peer)
    both = sorted(ours.keys() & theirs.keys())
    if not both:
        return None
    return (statistics.median(ours[n] / theirs[n] for n in both), statistics.median(ours[n] for n in both),
            statistics.median(theirs[n] for n in both))


def verdict(goal, rows):
    """The cells of a row: goal, measured, verdict. None where the run has nothing of it."""
    if not figures(rows, goal, goal.server):
        return None
    found = {peer: ratios(rows, goal, peer) for peer in goal.peers}
    without = [peer for peer, value in found.items() if not value]
    what = "p99" if goal.field == "p99_us" else "CPU"
    against = "every peer" if len(goal.peers) > 1 else goal.peers[0]
    text = (f"{workloads.WORKLOADS[goal.workload].title}, {goal.connections} connections: {what} of {goal.server} "
            f"{'below' if goal.below else 'at most'} {goal.limit:g} × {against}")
    measured = {peer: value for peer, value in found.items() if value}
    if not measured:
        return text, "no figures of " + ", ".join(without), "not told"
    nearest = max(measured, key=lambda peer: measured[peer][0])
    ratio, ours, theirs = measured[nearest]
    scale, unit = (1000, "ms") if goal.field == "p99_us" else (1, "µs")
    cell = f"{ratio:.2f} × {nearest} ({ours / scale:.2f} against {theirs / scale:.2f} {unit})"
    if without:
        cell += "; without figures: " + ", ".join(without)
    is_held = ratio < goal.limit if goal.below else ratio <= goal.limit
    return text, cell, told(is_held, ratio / goal.limit)


def told(is_held, part):
    if is_held:
        return f"held, {100 * (1 - part):.0f} % to spare"
    return f"**missed by {100 * (part - 1):.0f} %**"


def evenness(values):
    """How far the worker that is farthest from an even share is from it."""
    even = sum(values) / len(values)
    return max(abs(value - even) for value in values) / even if even else None


def sharing(rows):
    found = {}
    for row in rows:
        if row["kind"] == "sharing":
            found.setdefault((row["server"], row["connections"]), []).append(row)
        elif row["kind"] == "failure" and row["workload"] == "sharing":
            yield f"Two workers of {row['server']} share evenly, {row['connections']} connections", row["error"], "not told"
    for (server, connections), group in found.items():
        for field, what in (("requests", "requests"), ("shared_connections", "connections")):
            distances = [value for value in (evenness(row[field]) for row in group) if value is not None]
            text = f"Two workers of {server} share {what} within 10 % of evenly, {connections} connections"
            if not distances:
                yield text, "none counted", "not told"
                continue
            middle = statistics.median(distances)
            example = " : ".join(f"{value:,}" for value in group[-1][field])
            yield (text, f"{100 * middle:.0f} % off (worst round {100 * max(distances):.0f} %; the last {example})",
                   "held" if middle <= EVEN else f"**missed: {100 * middle:.0f} % instead of {100 * EVEN:.0f} %**")


def table(rows):
    """Rows of (goal, measured, verdict) for all that the run can tell."""
    return [cells for cells in (verdict(goal, rows) for goal in GOALS) if cells] + list(sharing(rows))
