# SPDX-License-Identifier: MIT
"""From a Python that somebody started to the program `gunwale`, with the packages of that Python. Imports nothing of the server."""

import json
import os
import sys

# How the script's own arguments come to the template: the program's command line is not theirs.
SCRIPT_VARIABLE = "GUNWALE_SCRIPT"


def _climb(path, steps):
    for _ in range(steps):
        path = os.path.dirname(path)
    return path


def find_program():
    """Path of the program, or None. Links are not followed: a build's `python` is one into the source."""
    folder = os.path.dirname(os.path.abspath(__file__))  # .../python/gunwale
    for candidate in (
        os.path.join(_climb(folder, 2), "gunwale"),
        os.path.join(_climb(folder, 4), "bin", "gunwale"),  # PREFIX/share/gunwale/python/gunwale
    ):
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    import shutil  # not for the template, which imports this file at each start

    return shutil.which("gunwale")


def set_environment(environ):
    """The program takes VIRTUAL_ENV for the interpreter's choice; here the interpreter is chosen already."""
    if sys.prefix != sys.base_prefix:
        environ["VIRTUAL_ENV"] = sys.prefix
    else:
        environ.pop("VIRTUAL_ENV", None)


def become_server(arguments):
    """Never returns."""
    program = find_program()
    if program is None:
        sys.exit("Error: the program 'gunwale' is neither beside its Python package nor on PATH")
    set_environment(os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, [program, *arguments])


def become_server_of_script():
    """The running script is run again by the template, up to the same call of run(). Never returns."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    path = getattr(main, "__file__", None)
    if spec is None and path is None:
        sys.exit("Error: run() needs a script or a module that can be run again, not an interactive Python")
    name = "-m " + spec.name if spec is not None else os.path.abspath(path)
    os.environ[SCRIPT_VARIABLE] = json.dumps({"name": name, "argv": sys.argv})
    # gunicorn: app/base.py, only the command line's application reads them
    os.environ.pop("GUNICORN_CMD_ARGS", None)
    become_server(["--python", sys.executable, "--config", f"script:{name}"])
