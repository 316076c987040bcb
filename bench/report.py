# SPDX-License-Identifier: MIT
"""Makes a Markdown table and a plot of the lines of a run; beside them, with the same name. Called by suite.py."""

import json
import statistics

import goals
import peers
import plot
import workloads


def medians(rows):
    """By (workload, workers), connections and server: the figures of a cell, or the text of its error."""
    groups = {}
    for row in rows:
        if row["kind"] in ("load", "failure") and row["workload"] in workloads.WORKLOADS:
            cells = groups.setdefault((row["workload"], row["workers"]), {}).setdefault(row["connections"], {})
            cells.setdefault(row["server"], []).append(row)
    return {group: {connections: {server: cell(found) for server, found in cells.items()} for connections, cells in columns.items()}
            for group, columns in groups.items()}


def cell(found):
    good = [row for row in found if row["kind"] == "load"]
    if not good:
        return found[0]["error"]
    figures = {name: statistics.median(row[name] for row in good) for name in ("cpu_us", "rps", "p50_us", "p99_us", "pss_kb")}
    figures["errors"] = sum(row["errors"] for row in good)
    figures["requests"] = sum(row["requests"] for row in good)
    figures["failures"] = len(found) - len(good)
    figures["rounds"] = {row["round"]: row["cpu_us"] for row in good}
    return figures


def ratio(figures, base):
    """The median of the rounds' ratios to the base, as text."""
    if not isinstance(base, dict):
        return ""
    both = figures["rounds"].keys() & base["rounds"].keys()
    return f" ({statistics.median(figures['rounds'][n] / base['rounds'][n] for n in both):.2f})" if both else ""


def milliseconds(value):
    return f"{value / 1000:.2f}" if value < 10000 else f"{value / 1000:.0f}"


def shown(figures, base):
    if figures is None:
        return "–"
    if isinstance(figures, str):
        return "error: " + figures.replace("|", "/")
    text = (f"{figures['cpu_us']:.1f}{ratio(figures, base)} / {milliseconds(figures['p50_us'])} / {milliseconds(figures['p99_us'])} / "
            f"{figures['rps'] / 1000:.1f}")
    if figures["errors"]:
        text += f" **{figures['errors']:,} errors in {figures['requests']:,}**"
    if figures["failures"]:
        text += f" **{figures['failures']} rounds failed**"
    return text


def lines_of(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def table(head, body):
    return [lines_of(head), lines_of("---" for _ in head), *map(lines_of, body), ""]


def load_tables(groups, base):
    for (name, workers), columns in groups.items():
        order = sorted(columns)
        servers = [server for server in peers.SERVERS if any(server in columns[n] for n in order)]
        with_memory = max(order)
        yield f"## {workloads.WORKLOADS[name].title}" + (f", {workers} workers" if workers > 1 else "")
        yield ""
        body = []
        for server in servers:
            last = columns[with_memory].get(server)
            memory = f"{last['pss_kb'] / 1024:.0f}" if isinstance(last, dict) else "–"
            body.append([server, *(shown(columns[n].get(server), columns[n].get(base)) for n in order), memory])
        yield from table(["server", *(f"{n} connection{'s' if n > 1 else ''}" for n in order), "PSS MB"], body)


def start_table(rows):
    found = {}
    for row in rows:
        if row["kind"] == "start":
            found.setdefault(row["server"], []).append(row)
    if not found:
        return

    def middle(group, name, scale=1):
        values = [row[name] for row in group if name in row]
        return f"{statistics.median(values) / scale:.0f}" if values else "–"

    about = ("One worker, a small application. Cold start: exec to first answer. "
             "Restart: SIGHUP to the first answer of code loaded after it.")
    yield from ("## Start and restart", "", about, "")
    yield from table(["server", "cold start ms", "restart ms", "requests failed meanwhile", "PSS MB", ""], [
        [server, middle(group, "cold_ms"), middle(group, "restart_ms"), sum(row.get("failed", 0) for row in group),
         middle(group, "pss_kb", 1024), next((row["error"] for row in group if "error" in row), "")]
        for server in peers.SERVERS if (group := found.get(server))])


def head(run):
    machine = run["machine"]
    yield from ("# Measured", "", f"{run['date']}: `bench/run {' '.join(run['command'])}`", "",
                f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}. "
                + ", ".join(f"{name} {version}" for name, version in run["versions"].items()) + ".", "")
    yield (f"Medians of {run['rounds']} interleaved rounds of {run['seconds']} s. A cell: CPU µs per request of the whole tree of processes, "
           f"by {run['account']} (in brackets the median of the rounds' ratios to {run['base']}) / p50 ms / p99 ms / thousand requests per "
           "second. One worker: server on the first processor, load on the second; more: not pinned.")
    yield ""
    if run["missing"]:
        yield from ("Not installed: " + ", ".join(run["missing"]) + ".", "")


def write(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    run = next(row for row in rows if row["kind"] == "run")
    groups = medians(rows)
    text = list(head(run))
    found = goals.table(rows)
    if found:
        text += ["## Goals", "", *table(["goal", "measured", ""], found)]
    picture = path.with_suffix(".svg")
    picture.write_text(plot.draw(groups, run))
    text += [f"![CPU per request]({picture.name})", ""]
    text += [*load_tables(groups, run["base"]), *start_table(rows)]
    path.with_suffix(".md").write_text("\n".join(text))
    print("\n".join(text))
    print(f"written: {path.with_suffix('.md')}, {picture}, {path}")
