# SPDX-License-Identifier: MIT
"""900 stations. Asked with HEAD they send their music all the same."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from radio import main  # noqa: E402

if __name__ == "__main__":
    main(stations=900)
