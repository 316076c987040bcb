# SPDX-License-Identifier: MIT
"""Small exports all the time, and every four seconds one of two million lines."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402


async def incident(load):
    async for number in load.pace(per_second=4):
        if number % 16 == 0:
            load.spawn(load.ask("/export?lines=2000000", load.offenders))
        else:
            load.spawn(load.ask("/export?lines=500", load.innocents))


if __name__ == "__main__":
    main(incident)
