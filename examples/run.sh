#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds gunwale and starts it with the Flask application of examples/flask.
#
#   sh examples/run.sh [--stop | gunwale options]
#
# On Debian 12 or 13, as root or with sudo. Environment: BIND (default 127.0.0.1:8000), WORKERS (2), PYTHON
# (/usr/bin/python3), RUN_DIR (build/example: build, pid, log and status file).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/packages.sh
. "$top/tests/lib/packages.sh"

run=${RUN_DIR:-$top/build/example}
bind=${BIND:-127.0.0.1:8000}
pidfile=$run/gunwale.pid
status=$run/status.json
log=$run/gunwale.log

is_running() {
	[ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null
}

if [ "${1:-}" = --stop ]; then
	if is_running; then
		kill -TERM "$(cat "$pidfile")"
		while is_running; do sleep 0.1; done
		say "stopped"
	else
		say "not running"
	fi
	exit 0
fi

need_packages gcc make autoconf automake pkg-config libuv1-dev libjansson-dev libssl-dev libpython3-dev python3-dev python3-flask
build "$run" PYTHON="${PYTHON:-/usr/bin/python3}"
if is_running; then
	say "stopping the one that runs already"
	kill -TERM "$(cat "$pidfile")"
	while is_running; do sleep 0.1; done
fi

rm -f "$log" "$status"
"$run/gunwale" --daemon --chdir "$top/examples/flask" --bind "$bind" --workers "${WORKERS:-2}" --pid "$pidfile" \
	--error-logfile "$log" --access-logfile "$run/access.log" --status-file "$status" --capture-output "$@" app:app

tries=0
until [ -s "$status" ] && grep -q '"serving"' "$status"; do
	tries=$((tries + 1))
	if [ $tries -gt 200 ] || { [ $tries -gt 20 ] && ! is_running; }; then
		cat "$log" 2>/dev/null || true
		die "gunwale did not start; its log is above"
	fi
	sleep 0.1
done
url=$(sed -n 's/.*Listening at: \([^ ,]*\).*/\1/p' "$log" | tail -1)

cat <<EOF

gunwale serves examples/flask/app.py with ${WORKERS:-2} workers.

  URL          $url/
  status file  $status
  log          $log  (access: $run/access.log)
  reload       kill -HUP $(cat "$pidfile")
  stop         sh examples/run.sh --stop      (or kill $(cat "$pidfile"))

EOF
