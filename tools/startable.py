# SPDX-License-Identifier: MIT
"""`python /venv/bin/gunwale`: Python takes a program with a zip archive at its end for that archive, and runs this file in it.

tools/link-startable puts it there. It becomes the program itself, with the packages of this Python (see gunwale/__main__.py).
"""

import os
import sys

program = os.path.abspath(sys.argv[0])
if sys.prefix != getattr(sys, "base_prefix", sys.prefix):
    os.environ["VIRTUAL_ENV"] = sys.prefix
else:
    os.environ.pop("VIRTUAL_ENV", None)
os.execv(program, [program] + sys.argv[1:])
