# SPDX-License-Identifier: MIT
"""Draws CPU per request as SVG: for each workload a panel of bars, one for each server. Called by report.py."""

from xml.sax.saxutils import escape

import peers
import workloads

WIDTH, LABEL, BAR, GAP, TOP = 420, 120, 13, 5, 44
COLUMNS = 2
OURS, OTHERS, LIMIT, INK, FAINT = "#2f6f8f", "#b9c3c9", "#e0b25c", "#263238", "#78868e"


def colour(server):
    return OURS if server.startswith("gunwale") else OTHERS if peers.SERVERS[server].has_python else LIMIT


def text(x, y, content, size=11, fill=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{escape(content)}</text>")


def chosen(columns):
    """The panel's number of connections: 64, or the nearest."""
    return min(columns, key=lambda n: abs(n - 64))


def panel(title, cells, x, y):
    """The drawing and its height."""
    servers = [server for server in peers.SERVERS if server in cells]
    most = max((cells[server]["cpu_us"] for server in servers if isinstance(cells[server], dict)), default=1)
    drawn = [text(x, y + 18, title, 13, weight="bold")]
    for n, server in enumerate(servers):
        top = y + TOP - 14 + n * (BAR + GAP)
        drawn.append(text(x + LABEL - 8, top + BAR - 3, server, anchor="end"))
        figures = cells[server]
        if isinstance(figures, dict):
            length = (WIDTH - LABEL - 60) * figures["cpu_us"] / most
            drawn.append(f'<rect x="{x + LABEL}" y="{top}" width="{max(length, 1):.1f}" height="{BAR}" rx="2" fill="{colour(server)}"/>')
            mark = " (errors)" if figures["errors"] or figures["failures"] else ""
            drawn.append(text(x + LABEL + length + 6, top + BAR - 3, f"{figures['cpu_us']:.1f}{mark}", fill=FAINT))
        else:
            drawn.append(text(x + LABEL, top + BAR - 3, "error", fill=FAINT))
    return drawn, TOP + len(servers) * (BAR + GAP) + 12


def draw(groups, run):
    drawn = [text(24, 32, "CPU µs per request, whole tree of processes (less is better)", 16, weight="bold"),
             text(24, 52, f"{run['machine']['cpu']}, {run['machine']['cores']} cores; medians of {run['rounds']} rounds; {run['date']}",
                  fill=FAINT)]
    bottoms = [70] * COLUMNS
    for (name, workers), columns in groups.items():
        connections = chosen(columns)
        title = f"{workloads.WORKLOADS[name].title}, {connections} connection{'s' if connections > 1 else ''}"
        column = bottoms.index(min(bottoms))
        more, height = panel(title + (f", {workers} workers" if workers > 1 else ""), columns[connections],
                             24 + column * (WIDTH + 24), bottoms[column])
        drawn += more
        bottoms[column] += height
    width, height = 24 + COLUMNS * (WIDTH + 24), max(bottoms) + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, sans-serif">\n<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(drawn) + "\n</svg>\n")
