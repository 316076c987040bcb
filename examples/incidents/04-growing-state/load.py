# SPDX-License-Identifier: MIT
"""A new user with each request."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402

USERS = 1500


async def incident(load):
    async for number in load.pace(total=USERS):
        load.spawn(load.ask(f"/recommend/user{number}", load.offenders))
    load.notes["users"] = USERS


if __name__ == "__main__":
    main(incident)
