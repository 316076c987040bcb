# SPDX-License-Identifier: MIT
"""Players that poll each 15 s an answer that is kept for 10 s. A second here is ten of theirs."""

import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402

POLL_SECONDS = 1.5
STATIONS = 20


async def player(load, station):
    async for _ in load.pace(per_second=1 / POLL_SECONDS):
        await load.ask(f"/nowplaying/{station}", load.innocents)
        load.notes["polls"] += 1


async def incident(load):
    load.notes["polls"] = 0
    async for station in load.pace(per_second=STATIONS / POLL_SECONDS):
        if station == STATIONS:
            break
        load.spawn(player(load, station))
    await asyncio.sleep(load.end - time.monotonic())
    load.notes["fetches_upstream"] = (await load.fetch_json("/count"))["fetched"]


if __name__ == "__main__":
    main(incident)
