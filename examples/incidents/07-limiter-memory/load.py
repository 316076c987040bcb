# SPDX-License-Identifier: MIT
"""Requests of ever new users, 30,000 tokens each."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402

REQUESTS = 1800


async def incident(load):
    async for number in load.pace(total=REQUESTS):
        load.spawn(load.ask(f"/complete?key=user{number}&tokens=30000", load.offenders))


if __name__ == "__main__":
    main(incident)
