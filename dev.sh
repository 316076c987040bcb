#!/bin/sh
# SPDX-License-Identifier: MIT
# The developer's build: out of tree in build/dev, all warnings fatal, address and undefined-behaviour sanitizers on.
#
#   ./dev.sh                     configure (first time) and build
#   ./dev.sh check               ... and run a make target
#   CC=clang PYTHON=/usr/bin/python3.12 ./dev.sh
#
# DEV_DIR chooses another build folder.
set -eu
top=$(cd "$(dirname "$0")" && pwd)
dir=${DEV_DIR:-$top/build/dev}

[ -x "$top/configure" ] || "$top/autogen.sh"
mkdir -p "$dir"
cd "$dir"
if [ ! -f Makefile ]; then
	"$top/configure" --enable-dev --enable-asan CFLAGS="${CFLAGS:--O1 -g}" ${PYTHON:+PYTHON="$PYTHON"} ${CC:+CC="$CC"}
fi
exec make -j"$(nproc)" "${@:-all}"
