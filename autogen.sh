#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes `configure` and `Makefile.in` from a git checkout. Needs autoconf, automake and pkg-config.
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all
