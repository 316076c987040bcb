# SPDX-License-Identifier: MIT
"""The logger that also counts: gunicorn.instrument.statsd.Statsd. The socket and the names of what C counts are C's."""

import logging

import _gunwale

from gunwale import applog

GAUGE_TYPE = "gauge"
COUNTER_TYPE = "counter"
HISTOGRAM_TYPE = "histogram"
TIMER_TYPE = "timer"


class Statsd(applog.Logger):
    def critical(self, msg, *args, **kwargs):
        super().critical(msg, *args, **kwargs)
        self.increment("gunicorn.log.critical", 1)

    def error(self, msg, *args, **kwargs):
        super().error(msg, *args, **kwargs)
        self.increment("gunicorn.log.error", 1)

    def warning(self, msg, *args, **kwargs):
        super().warning(msg, *args, **kwargs)
        self.increment("gunicorn.log.warning", 1)

    def exception(self, msg, *args, **kwargs):
        super().exception(msg, *args, **kwargs)
        self.increment("gunicorn.log.exception", 1)

    def info(self, msg, *args, **kwargs):
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg, *args, **kwargs):
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def log(self, lvl, msg, *args, **kwargs):
        """extra={"metric": NAME, "value": NUMBER, "mtype": KIND} is sent, whatever the level; an empty message is not logged."""
        extra = kwargs.get("extra") or {}
        metric, value = extra.get("metric"), extra.get("value")
        send = {
            GAUGE_TYPE: self.gauge,
            COUNTER_TYPE: self.increment,
            HISTOGRAM_TYPE: self.histogram,
            TIMER_TYPE: self.timer,
        }.get(extra.get("mtype"))
        if metric and value is not None and send is not None:
            send(metric, value)
        if msg:
            super().log(lvl, msg, *args, **kwargs)

    def access(self, resp, req, environ, request_time):
        super().access(resp, req, environ, request_time)
        status = resp.status
        if isinstance(status, bytes):
            status = status.decode("latin-1")
        if isinstance(status, str):
            status = int(status.split(None, 1)[0]) if status.strip() else 0
        self.timer("gunicorn.request.duration", request_time.seconds * 1000 + request_time.microseconds / 1000)
        self.increment("gunicorn.requests", 1)
        self.increment(f"gunicorn.request.status.{status}", 1)

    def gauge(self, name, value):
        _gunwale.statsd(f"{name}:{value}|g")

    def increment(self, name, value, sampling_rate=1.0):
        _gunwale.statsd(f"{name}:{value}|c|@{sampling_rate}")

    def decrement(self, name, value, sampling_rate=1.0):
        _gunwale.statsd(f"{name}:-{value}|c|@{sampling_rate}")

    def timer(self, name, value):
        _gunwale.statsd(f"{name}:{value}|ms")

    def histogram(self, name, value):
        _gunwale.statsd(f"{name}:{value}|h")
