# SPDX-License-Identifier: MIT
"""A radio, and a film of two gigabytes."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from radio import main  # noqa: E402

if __name__ == "__main__":
    main()
