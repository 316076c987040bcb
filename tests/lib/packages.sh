# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# For tests/run.sh and examples/run.sh (sourced): install missing Debian packages, build out of tree.

say() {
	printf '==> %s\n' "$*"
}

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# as_root COMMAND...: directly as root, else with sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "this needs root: $*"
	fi
}

# need_packages NAME...: installs those that dpkg does not know as installed. Quick when nothing is missing.
need_packages() {
	missing=
	if ! command -v dpkg-query >/dev/null 2>&1; then
		say "this is no Debian: install what corresponds to $*"
		return 0
	fi
	for package in "$@"; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
		[ "$state" = installed ] || missing="$missing $package"
	done
	if [ -n "$missing" ]; then
		say "installing$missing"
		as_root apt-get update -q
		# shellcheck disable=SC2086 # several words on purpose
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
	fi
}

# need_venv FOLDER PYTHON PACKAGE...: a virtual environment of that Python with these packages from PyPI. Quick when it is
# there. 1 with a loud line where it can't be had.
need_venv() {
	venv=$1 base_python=$2
	shift 2
	if [ "$(cat "$venv/packages" 2>/dev/null)" != "$*" ]; then
		say "installing $* from PyPI (in $venv)"
		rm -rf "$venv"
		if ! { "$base_python" -m venv "$venv" && "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@"; } \
			>"$venv.out" 2>&1; then
			say "SKIP: no virtual environment with $*: $(tail -1 "$venv.out")"
			rm -rf "$venv"
			return 1
		fi
		printf '%s' "$*" >"$venv/packages"
	fi
}

# build FOLDER CONFIGURE-ARGUMENT...: configures once (again when the arguments have changed) and makes.
# shellcheck disable=SC2154 # $top comes from the caller
build() {
	folder=$1
	shift
	if [ ! -x "$top/configure" ] || [ -n "$(find "$top/configure.ac" "$top/Makefile.am" "$top/src/sources.am" \
		"$top/tests/tests.am" "$top/m4" -newer "$top/configure" -print)" ]; then
		say "autoreconf"
		"$top/autogen.sh" >"$top/autogen.log" 2>&1 || {
			cat "$top/autogen.log"
			die "autogen.sh failed"
		}
	fi
	mkdir -p "$folder"
	if [ ! -f "$folder/Makefile" ] || [ "$(cat "$folder/arguments" 2>/dev/null)" != "$*" ]; then
		say "configure $* (in $folder)"
		rm -f "$folder/arguments"
		(cd "$folder" && "$top/configure" "$@" >configure.out 2>&1) || {
			tail -5 "$folder/configure.out"
			die "configure failed, see $folder/config.log"
		}
		printf '%s' "$*" >"$folder/arguments"
	fi
	say "make (in $folder)"
	make -C "$folder" -j"$(nproc)" all >"$folder/make.out" 2>&1 || {
		grep -E 'error|Error|warning' "$folder/make.out" | head -40
		die "make failed, see $folder/make.out"
	}
}
