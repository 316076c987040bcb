# SPDX-License-Identifier: MIT
"""The cold side of gunwale: what happens rarely and is easier to read in Python.

Imported by the program `gunwale-worker` (src/py/boot.c); needs its built-in module `_gunwale`.
"""
