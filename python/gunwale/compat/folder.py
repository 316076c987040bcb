# SPDX-License-Identifier: MIT
"""A package of gunicorn's that only holds others: gunicorn.app, gunicorn.http, gunicorn.instrument, gunicorn.workers."""
