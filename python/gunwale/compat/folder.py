# SPDX-License-Identifier: MIT
"""A package of gunicorn's that only holds others: gunicorn.http, gunicorn.instrument, gunicorn.workers."""
