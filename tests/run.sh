#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, runs every test. Ends non-zero when one fails; the last line is "N passed, N failed".
#
#   sh tests/run.sh [quick]       quick: without sanitizers, fuzzers and the other Pythons
#
# On Debian 12 or 13, as root or with sudo. Environment:
#   PYTHON (default /usr/bin/python3), BUILD_DIR (default build)
#   FUZZ_SECONDS (default 10; 0: none): how long each fuzzer searches
#   OTHER_PYTHONS (separated by spaces; default: those found in /usr/bin, /usr/local/bin and pyenv)
#   GUNWALE_SLOW (default 2): how patient the tests are; twice that with sanitizers
#
# Tests marked `slow` are soak tests and those that wait half a minute for something that nothing shortens: they are run by hand,
# with `tests/e2e/run -m slow`.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/packages.sh
. "$top/tests/lib/packages.sh"

builds=${BUILD_DIR:-$top/build}
python=${PYTHON:-/usr/bin/python3}
GUNWALE_SLOW=${GUNWALE_SLOW:-2}
export GUNWALE_SLOW
passed=0
failed=0
results=$(mktemp -d)
trap 'rm -rf "$results"; wait' EXIT

# count GOOD BAD: adds to the sums.
count() {
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# unit FOLDER: unit tests, fuzz replay, linkage, includes.
unit() {
	say "unit tests in $1"
	if make -C "$1" -s check-unit >"$results/out" 2>&1; then
		code=0
	else
		code=$?
	fi
	grep -E '^(SKIP|FAIL|ERROR|XPASS)' "$results/out" || true
	suites=$(sed -n 's/^# PASS: *//p' "$results/out" | tail -1)
	bad=$(sed -n 's/^# \(FAIL\|ERROR\|XPASS\): *//p' "$results/out" | awk '{ n += $1 } END { print n + 0 }')
	# Single tests inside the Criterion programs.
	cases=$(cat "$1"/unit-*.log "$1"/tests/*.log 2>/dev/null |
		sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) | Failing: \([0-9]*\) | Crashing: \([0-9]*\).*/\2 \3 \4/p' |
		awk '{ good += $1; bad += $2 + $3 } END { print good + 0, bad + 0 }')
	good_cases=${cases% *}
	bad_cases=${cases#* }
	if [ "$code" -ne 0 ]; then
		cat "$1/test-suite.log" 2>/dev/null || true
		[ "$bad" -gt 0 ] || { tail -40 "$results/out"; bad=1; }
	fi
	[ "$bad_cases" -le "$bad" ] || bad=$bad_cases
	count "$((${suites:-0} + good_cases))" "$bad"
	say "unit: ${suites:-0} programs passed ($good_cases cases), $bad failed"
}

# e2e FOLDER PYTEST-ARGUMENT...
e2e() {
	folder=$1
	shift
	say "end-to-end tests in $folder${*:+ ($*)}"
	if GUNWALE_BUILD=$folder GUNWALE_SOURCE=$top PYTHON=$python "$top/tests/e2e/run" --color=no "$@" \
		>"$results/out" 2>&1; then
		code=0
	else
		code=$?
	fi
	if [ "$code" -eq 0 ]; then
		grep -E '^(SKIPPED|XFAIL)' "$results/out" || true
	else
		cat "$results/out"
	fi
	line=$(grep -E '^[0-9]+ (passed|failed|skipped|error)|^=* ?[0-9]+ .* in [0-9.]+s' "$results/out" | tail -1)
	good=$(printf '%s' "$line" | sed -n 's/.*\b\([0-9][0-9]*\) passed.*/\1/p')
	bad=$(printf '%s' "$line" | grep -oE '[0-9]+ (failed|errors?)' | awk '{ n += $1 } END { print n + 0 }')
	[ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	# A run without one passed test proves nothing.
	if [ "$code" -eq 0 ] && [ "${good:-0}" -eq 0 ]; then
		cat "$results/out"
		bad=1
	fi
	count "${good:-0}" "$bad"
	say "e2e: ${line:-no summary}"
}

# fuzz SECONDS: each fuzzer of the build searches for so long.
fuzz() {
	say "fuzzers, $1 s each"
	if GUNWALE_BUILD=$builds/fuzz "$top/tests/fuzz/run" "$1" >"$results/out" 2>&1; then
		bad=0
	else
		bad=$(grep -c '^FAIL' "$results/out" || true)
		[ "$bad" -gt 0 ] || bad=1
	fi
	cat "$results/out"
	count "$(grep -c 'nothing found$' "$results/out" || true)" "$bad"
}

# libFuzzer's and the sanitizers' run time is a package of its own on some Debians, named by the version of clang.
need_clang() {
	need_packages clang
	runtime=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev
	if apt-cache show "$runtime" >/dev/null 2>&1; then
		need_packages "$runtime"
	fi
}

# Other Pythons that can be embedded: 3.9 to 3.13, one of each version, not the one tested already.
other_pythons() {
	seen=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	for candidate in /usr/bin/python3.* /usr/local/bin/python3.* "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
		case $candidate in
		*-config | *'*'*) continue ;;
		esac
		found=$("$candidate" -I -c '
import os, sys, sysconfig
var = sysconfig.get_config_var
places = [var("LIBDIR") or "", os.path.join(var("LIBDIR") or "", var("MULTIARCH") or ""), var("LIBPL") or ""]
name = "libpython%s.so" % (var("LDVERSION") or var("VERSION"))
good = (3, 9) <= sys.version_info[:2] <= (3, 13) and any(os.path.exists(os.path.join(p, name)) for p in places)
good = good and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")) and var("Py_GIL_DISABLED") != 1
print("%d.%d" % sys.version_info[:2] if good else "")' 2>/dev/null) || continue
		case " $seen " in
		*" $found "*) continue ;;
		esac
		[ -n "$found" ] || continue
		seen="$seen $found"
		printf '%s\n' "$candidate"
	done
}

begun=$(date +%s)
need_packages gcc make autoconf automake pkg-config libuv1-dev libjansson-dev libssl-dev libpython3-dev python3-dev libcriterion-dev openssl \
	python3-flask python3-pytest python3-pytest-xdist python3-venv procps util-linux binutils iproute2

# While it is built: this takes minutes, and mostly waits for the network.
mkdir -p "$builds"
# shellcheck disable=SC2046 # one word a package
need_venv "$builds/packages" "$python" $(grep -v '^#' "$top/tests/e2e/packages.txt") &
packages=$!

build "$builds/test" PYTHON="$python" --enable-dev
unit "$builds/test"
if wait "$packages"; then
	export GUNWALE_PACKAGES="$builds/packages"
	with_gunicorn=$builds/packages
elif need_venv "$builds/gunicorn" "$python" gunicorn; then
	with_gunicorn=$builds/gunicorn
else
	with_gunicorn=
fi
e2e "$builds/test" -m "not slow"
# No version is pinned: what counts is what a user would replace today.
if [ -n "$with_gunicorn" ]; then
	GUNICORN="$with_gunicorn/bin/python -m gunicorn" E2E_DIR=$top/tests/compat e2e "$builds/test" -m "not slow"
fi

if [ "${1:-}" != quick ]; then
	# As users build it: optimised across files.
	build "$builds/release" PYTHON="$python"
	unit "$builds/release"
	e2e "$builds/release" -m "quick and not slow" -k "test_serve or test_unix_socket or test_tls or test_flask or test_gthread or test_gevent or test_slow_clients"

	build "$builds/asan" PYTHON="$python" --enable-dev --enable-asan CFLAGS='-O1 -g'
	unit "$builds/asan"
	GUNWALE_SLOW=$((GUNWALE_SLOW * 2)) e2e "$builds/asan" -m "quick and not slow"

	fuzz_seconds=${FUZZ_SECONDS:-10}
	if [ "$fuzz_seconds" -gt 0 ]; then
		need_clang
		build "$builds/fuzz" PYTHON="$python" --enable-dev --enable-fuzz --enable-asan CC=clang CFLAGS='-O1 -g'
		fuzz "$fuzz_seconds"
	fi

	# shellcheck disable=SC2086 # one word a Python
	for other in ${OTHER_PYTHONS-$(other_pythons)}; do
		version=$("$other" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
		folder=$builds/python$version
		build "$folder" PYTHON="$other" --enable-dev
		unit "$folder"
		venv=
		if need_venv "$folder/venv" "$other" flask gevent requests; then
			venv=$folder/venv
		fi
		GUNWALE_PACKAGES=$venv GUNWALE_TEST_VENV=$venv e2e "$folder" -m quick -k "test_serve or test_config or test_preload or (test_reload and not test_reload_code) or test_flask or test_gthread or test_gevent"
	done
fi

say "done in $(($(date +%s) - begun)) s"
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
