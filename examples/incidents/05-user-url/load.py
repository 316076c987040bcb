# SPDX-License-Identifier: MIT
"""Every three seconds somebody pastes the address of a radio stream, or of a film."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from client import main  # noqa: E402

RATE = 80_000_000  # a fast line


async def incident(load):
    async for number in load.pace(per_second=1 / 3):
        target = f"/stream?rate={RATE}" if number % 2 == 0 else f"/file?bytes=2000000000%26rate={RATE}"
        load.spawn(load.ask(f"/metadata?url={load.upstream}{target}", load.offenders))


if __name__ == "__main__":
    main(incident)
