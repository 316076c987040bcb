# SPDX-License-Identifier: MIT
"""Somebody opens the report, every five seconds."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402


async def incident(load):
    async for _ in load.pace(per_second=1 / 5):
        load.spawn(load.ask("/report", load.offenders))


if __name__ == "__main__":
    main(incident)
