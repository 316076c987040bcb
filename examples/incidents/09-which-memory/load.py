# SPDX-License-Identifier: MIT
"""A bit of everything: pages, statistics, reports, and eight slow downloads."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402


async def incident(load):
    for _ in range(8):
        load.spawn(load.listen("/download?bytes=50000000", bytes_per_second=32000))
    async for number in load.pace(per_second=40):
        target = (f"/page/{number % 400}", f"/page/{number % 97}", "/statistics", f"/report/{number}")[number % 4]
        load.spawn(load.ask(target, load.innocents))


if __name__ == "__main__":
    main(incident)
