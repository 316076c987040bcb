# SPDX-License-Identifier: MIT
"""Somebody pages through the 900 stations of the directory, again and again."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402

PAGES = 45


async def incident(load):
    async for number in load.pace(total=6 * PAGES):
        load.spawn(load.ask(f"/stations?page={number % PAGES}", load.offenders))


if __name__ == "__main__":
    main(incident)
