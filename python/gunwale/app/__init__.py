# SPDX-License-Identifier: MIT
"""Servers that are started by Python code: gunwale.app.base and gunwale.app.wsgiapp, by gunicorn's names.

Runs in two places: in the Python that the user started, where run() becomes the program `gunwale`, and in the template, which
runs the same script again and stops at run().
"""
