# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# For bench/run (sourced, after tests/lib/packages.sh): the servers to compare with, and what loads them.

# What the applications need (packaging: gunicorn's gevent worker, which does not say so); without these nothing can be measured.
base_packages="flask sqlalchemy requests gevent packaging"
# Each is tried by itself.
peer_packages="gunicorn uwsgi bjoern fastwsgi granian waitress cheroot mod_wsgi"

# try_package VENV NAME: installs it, once; what failed is not tried again before the venv is removed.
try_package() {
	tried=$1/tried-$2
	if [ ! -e "$tried" ]; then
		say "installing $2 from PyPI (in $1)"
		"$1/bin/python" -m pip install -q --disable-pip-version-check "$2" >"$tried.out" 2>&1 ||
			say "SKIP: $2 cannot be installed: $(tail -1 "$tried.out")"
		: >"$tried"
	fi
}

# need_peers VENV PYTHON: servers from PyPI into a virtual environment, nginx and wrk from Debian.
need_peers() {
	# libev-dev is for bjoern, the two of Apache are for mod_wsgi (apache2 itself would start a service, as nginx-light does).
	need_packages wrk nginx-light gcc python3-dev python3-venv libev-dev apache2-bin apache2-dev
	# shellcheck disable=SC2086 # several words on purpose
	need_venv "$1" "$2" setuptools wheel $base_packages || die "nothing to measure with"
	for package in $peer_packages; do
		try_package "$1" "$package"
	done
}
