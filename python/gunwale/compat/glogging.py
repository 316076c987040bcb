# SPDX-License-Identifier: MIT
"""gunicorn.glogging: the logger to derive from, and the dictionary that logconfig_dict extends."""

import logging

from gunwale.applog import Logger, SafeAtoms, loggers
from gunwale.logconfig import CONFIG_DEFAULTS
from gunwale.syslog import FACILITIES as SYSLOG_FACILITIES
from gunwale.syslog import parse_address as parse_syslog_address

__all__ = ["CONFIG_DEFAULTS", "SYSLOG_FACILITIES", "Logger", "SafeAtoms", "logging", "loggers", "parse_syslog_address"]
