# SPDX-License-Identifier: MIT
"""python -m gunwale: becomes the program `gunwale`, with the same arguments and with this interpreter's packages.

The program itself runs no Python; launcher.py finds it.
"""

import sys

from gunwale import launcher

if __name__ == "__main__":
    launcher.become_server(sys.argv[1:])
