# SPDX-License-Identifier: MIT
"""An application module that cannot be imported."""

raise RuntimeError("this application is broken")
