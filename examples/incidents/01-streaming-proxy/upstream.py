# SPDX-License-Identifier: MIT
"""A radio whose server sends as fast as it is listened to."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from radio import main  # noqa: E402

if __name__ == "__main__":
    main()
