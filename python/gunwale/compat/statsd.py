# SPDX-License-Identifier: MIT
"""gunicorn.instrument.statsd: the logger that also counts."""

from gunwale.statsdlog import COUNTER_TYPE, GAUGE_TYPE, HISTOGRAM_TYPE, TIMER_TYPE, Statsd

__all__ = ["COUNTER_TYPE", "GAUGE_TYPE", "HISTOGRAM_TYPE", "TIMER_TYPE", "Statsd"]
