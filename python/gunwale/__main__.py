# SPDX-License-Identifier: MIT
"""python -m gunwale: becomes the program `gunwale`, with the same arguments and with this interpreter's packages.

The program itself runs no Python, so all this does is find it: beside a build's `python` folder, under the prefix that the
package is installed in, or on PATH.
"""

import os
import shutil
import sys


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
    return shutil.which("gunwale")


def set_environment(environ):
    """The program takes VIRTUAL_ENV for the interpreter's choice; here the interpreter is chosen already."""
    if sys.prefix != sys.base_prefix:
        environ["VIRTUAL_ENV"] = sys.prefix
    else:
        environ.pop("VIRTUAL_ENV", None)


def main():
    program = find_program()
    if program is None:
        sys.exit("Error: the program 'gunwale' is neither beside its Python package nor on PATH")
    set_environment(os.environ)
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
