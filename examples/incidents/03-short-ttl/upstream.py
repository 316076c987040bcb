# SPDX-License-Identifier: MIT
"""The slow service that knows what is on the air."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from radio import main  # noqa: E402

if __name__ == "__main__":
    main()
