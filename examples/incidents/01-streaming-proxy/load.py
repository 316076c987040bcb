# SPDX-License-Identifier: MIT
"""100 listeners: 60 have stopped reading (a phone in a tunnel, a paused player), 40 read at the pace of the music."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402

LISTENERS = 100


async def incident(load):
    async for number in load.pace(per_second=40):
        if number == LISTENERS:
            break
        load.spawn(load.listen(f"/listen/{number % 7}", bytes_per_second=16000 if number % 5 < 2 else 0))


if __name__ == "__main__":
    main(incident)
