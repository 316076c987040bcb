#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs an incident inside of a memory cgroup of 256 MB and prints a verdict; README.md tells what the incidents are.
#
#   sh examples/incidents/run.sh NAME [--server gunicorn|gunwale] [--memory 256M] [--seconds N] [--json FILE] [-- OPTION...]
#
# On Debian 12 or 13, as root or with sudo. Installs what is missing. OPTIONs go to the server. Ends with 77 when no memory
# cgroup can be made. Environment: PYTHON (default /usr/bin/python3), GUNWALE_PROGRAM (a gunwale that is built already).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/lib/packages.sh
. "$top/tests/lib/packages.sh"

[ $# -gt 0 ] || {
	sed -n '3,8s/^# \{0,1\}//p' "$0"
	exit 2
}
python=${PYTHON:-/usr/bin/python3}
venv=$top/build/incidents
program=${GUNWALE_PROGRAM:-$top/build/example/gunwale}
cgroup=gunwale-incident-$$

need_packages python3 python3-venv
mkdir -p "$top/build"
need_venv "$venv" "$python" flask requests gevent flask-limiter gunicorn || die "the applications need these packages"
case " $* " in
*" --server gunicorn "* | *" --server=gunicorn "* | *" --help "* | *" -h "*) ;;
*)
	if [ -z "${GUNWALE_PROGRAM:-}" ]; then
		need_packages gcc make autoconf automake pkg-config libuv1-dev libjansson-dev libssl-dev libpython3-dev python3-dev
		build "$top/build/example" PYTHON="$python"
	fi
	;;
esac

# run.py removes the cgroup itself; this is for the day on which it is killed.
# shellcheck disable=SC2317,SC2329 # called by the trap
remove() {
	[ -z "${run:-}" ] || kill -TERM "$run" 2>/dev/null || true
	[ -z "${run:-}" ] || wait "$run" 2>/dev/null || true
	as_root "$python" "$here/lib/container.py" "$cgroup"
}
trap remove EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# No function here: $! must be the process that gets the signal.
if [ "$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi
$sudo env PYTHONDONTWRITEBYTECODE=1 "$python" "$here/lib/run.py" --venv "$venv" --program "$program" --cgroup "$cgroup" "$@" &
run=$!
code=0
wait "$run" || code=$?
run=
exit "$code"
