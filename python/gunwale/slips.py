# SPDX-License-Identifier: MIT
"""Names in a configuration file that look like a setting and are none: gunicorn ignores them, we say so.

Called by conffile.py once the file has run. Rather silent than wrong: only plain values that the file itself assigns and
never reads are looked at, and only where the setting that was meant is not set as well.
"""

import ast

# Names that people and other servers use. What is not here is found by its spelling.
ALIASES = {
    "access_log_file": "accesslog",
    "access_logfile": "accesslog",
    "access_logformat": "access_log_format",
    "accesslogfile": "accesslog",
    "binds": "bind",
    "error_log_file": "errorlog",
    "error_logfile": "errorlog",
    "keep_alive": "keepalive",
    "keep_alive_timeout": "keepalive",
    "keepalive_timeout": "keepalive",
    "log_file": "errorlog",
    "log_level": "loglevel",
    "logfile": "errorlog",
    "max_conns": "worker_connections",
    "max_worker_connections": "worker_connections",
    "name": "proc_name",
    "num_threads": "threads",
    "num_workers": "workers",
    "pid": "pidfile",
    "pid_path": "pidfile",
    "preload": "preload_app",
    "proc": "proc_name",
    "process_name": "proc_name",
    "ssl_certfile": "certfile",
    "ssl_keyfile": "keyfile",
    "thread": "threads",
    "worker": "workers",
    "worker_count": "workers",
    "worker_timeout": "timeout",
    "worker_type": "worker_class",
}


_PLAIN = (str, int, float, bool, type(None))
_SHORTEST = 5  # shorter names are near to too many words
_LONG = 8  # from here on two slips are still the same word


class _Names(ast.NodeVisitor):
    """What the file assigns at its top level, and what it reads anywhere."""

    def __init__(self):
        self.assigned = set()
        self.read = set()

    def _skip_body(self, node):
        for child in ast.walk(node):
            self.visit_name(child)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _skip_body

    def visit_name(self, node):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            self.read.add(node.id)
        elif isinstance(node, ast.Global):
            self.read.update(node.names)

    def visit_Name(self, node):
        self.visit_name(node)

    def visit_Assign(self, node):
        self.assigned.update(target.id for target in node.targets if isinstance(target, ast.Name))
        self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is not None and isinstance(node.target, ast.Name):
            self.assigned.add(node.target.id)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            self.read.add(node.target.id)
        self.generic_visit(node)


def _distance(left, right):
    """Letters to add, drop, change or swap with their neighbour to make one out of the other."""
    before, row = [], list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def guess(name, settings):
    """The setting that `name` was meant to be, or None."""
    alias = ALIASES.get(name)
    if alias in settings:
        return alias
    if len(name) < _SHORTEST:
        return None
    limit = 2 if len(name) >= _LONG else 1
    near = []
    for setting in settings:
        if len(setting) >= _SHORTEST and abs(len(setting) - len(name)) <= limit:
            near.append((_distance(name, setting), setting))
    distance, setting = min(near, default=(limit + 1, None))
    return setting if distance <= limit else None


def _is_candidate(name, value, settings):
    return name.islower() and not name.startswith("_") and name not in settings and isinstance(value, _PLAIN)


def find(source, found, settings):
    """One sentence for each slip. `source` is the file's text or None, `found` its globals; the order is the file's."""
    candidates = [name for name, value in found.items() if _is_candidate(name, value, settings)]
    meant = {name: guess(name, settings) for name in candidates}
    suspects = [name for name in candidates if meant[name]]
    if not suspects or source is None:
        return []
    names = _Names()
    names.visit(ast.parse(source))
    sentences = []
    for name in suspects:
        if name not in names.assigned or name in names.read:
            continue
        if meant[name] not in found:
            sentences.append(f"'{name}' in the configuration file is no setting; did you mean '{meant[name]}'?")
    return sentences
