# SPDX-License-Identifier: MIT
#
# GW_PYTHON: find the Python that gunwale-worker embeds, and how to link it.
#
# PYTHON is an interpreter (a virtual environment's one will do). It is asked where its headers and its library are, and whether
# it is linked to the shared one itself: most are not, because calls within Python are faster without it, and so is the worker.
# Sets PYTHON_VERSION, PYTHON_EXECUTABLE (absolute, what runs when nothing else is chosen), PYTHON_LINK (shared or static),
# PYTHON_CPPFLAGS, PYTHON_LIBS and PYTHON_LDFLAGS (-Wl,-rpath for a library that the dynamic linker would not find by itself;
# for a static one, what lets extension modules find Python in the program).
# Stops with one sentence that says what to do where that Python cannot be embedded.

AC_DEFUN([GW_PYTHON], [
AC_ARG_VAR([PYTHON], [the Python to embed, 3.9 or newer @<:@python3@:>@])
AC_ARG_WITH([python-link], [AS_HELP_STRING([--with-python-link=KIND],
	[how Python is linked: shared, static, or auto, as the interpreter itself is @<:@auto@:>@])],
	[], [with_python_link=auto])
AS_CASE([$with_python_link], [auto|shared|static], [],
	[AC_MSG_ERROR([--with-python-link=$with_python_link: it is auto, shared or static])])
AS_IF([test -z "$PYTHON"], [AC_PATH_PROGS([PYTHON], [python3], [])])
AS_IF([test -z "$PYTHON"],
	[AC_MSG_ERROR([there is no python3 in PATH; install python3-dev, or say PYTHON=/path/to/python3])])
AS_IF([command -v "$PYTHON" >/dev/null 2>&1], [],
	[AC_MSG_ERROR([PYTHON=$PYTHON does not exist or cannot be run])])

AC_MSG_CHECKING([how to embed $PYTHON])
AS_IF(["$PYTHON" -I -c '
import os, shlex, sys
import sysconfig

def var(name):
    return str(sysconfig.get_config_var(name) or "")

def places():
    yield var("LIBDIR")
    if var("MULTIARCH"):
        yield os.path.join(var("LIBDIR"), var("MULTIARCH"))
        yield os.path.join("/usr/lib", var("MULTIARCH"))
    yield var("LIBPL")
    yield os.path.join(sys.base_prefix, "lib")
    yield os.path.join(sys.base_prefix, "lib64")

name = "python" + (var("LDVERSION") or var("VERSION"))
libdir = ""
for place in places():
    if place and os.path.exists(os.path.join(place, "lib" + name + ".so")):
        libdir = place
        break
archive = os.path.join(var("LIBPL"), "lib" + name + ".a")
with open("/proc/self/maps") as maps:
    is_shared = "/lib" + name + ".so" in maps.read()
include = sysconfig.get_path("include")
result = {
    "gw_py_version": "%d.%d" % sys.version_info[[:2]],
    "gw_py_implementation": sys.implementation.name,
    "gw_py_executable": sys.executable,
    "gw_py_include": include,
    "gw_py_platinclude": sysconfig.get_path("platinclude"),
    "gw_py_has_header": "yes" if os.path.exists(os.path.join(include, "Python.h")) else "no",
    "gw_py_lib": name,
    "gw_py_libdir": libdir,
    "gw_py_archive": archive if os.path.exists(archive) else "",
    "gw_py_archive_libs": "%s %s %s" % (var("MODLIBS"), var("LIBS"), var("SYSLIBS")),
    "gw_py_is_shared": "yes" if is_shared else "no",
    "gw_py_threaded": "no" if var("Py_GIL_DISABLED") == "1" else "yes",
}
for key, value in result.items():
    print("%s=%s" % (key, shlex.quote(value)))
' >conftest.python 2>conftest.python.err], [. ./conftest.python],
	[AC_MSG_RESULT([failed])
	cat conftest.python.err >&2
	rm -f conftest.python conftest.python.err
	AC_MSG_ERROR([PYTHON=$PYTHON does not run])])
rm -f conftest.python conftest.python.err
AC_MSG_RESULT([Python $gw_py_version, $gw_py_executable])

AS_IF([test "$gw_py_implementation" = cpython], [],
	[AC_MSG_ERROR([$PYTHON is $gw_py_implementation; gunwale embeds CPython only])])
AS_CASE([$gw_py_version],
	[3.9|3.10|3.11|3.12|3.13|3.14], [],
	[AC_MSG_ERROR([$PYTHON is Python $gw_py_version; gunwale needs Python 3.9 to 3.14])])
AS_IF([test "$gw_py_threaded" = yes], [],
	[AC_MSG_ERROR([$PYTHON is a free-threaded build; gunwale needs the ordinary one])])
AS_IF([test "$gw_py_has_header" = yes], [],
	[AC_MSG_ERROR([Python $gw_py_version has no Python.h in $gw_py_include; install its headers (Debian: python$gw_py_version-dev)])])
PYTHON_VERSION=$gw_py_version
PYTHON_EXECUTABLE=$gw_py_executable
# As system headers: their warnings are not ours.
PYTHON_CPPFLAGS="-isystem $gw_py_include"
AS_IF([test "$gw_py_platinclude" != "$gw_py_include"], [PYTHON_CPPFLAGS="$PYTHON_CPPFLAGS -isystem $gw_py_platinclude"])

gw_save_CPPFLAGS=$CPPFLAGS gw_save_LIBS=$LIBS gw_save_LDFLAGS=$LDFLAGS
PYTHON_LINK=
# Whole: what no code of ours calls, an extension module may. Not position-independent, as such interpreters are: the archive
# may be compiled for that.
AS_IF([test -n "$gw_py_archive"], [AS_CASE([$with_python_link/$gw_py_is_shared], [static/*|auto/no], [
	AC_MSG_CHECKING([whether Python $PYTHON_VERSION links statically])
	PYTHON_LIBS="-Wl,--whole-archive $gw_py_archive -Wl,--no-whole-archive $gw_py_archive_libs"
	PYTHON_LDFLAGS="-no-pie -Wl,--export-dynamic"
	GW_PYTHON_LINKS([PYTHON_LINK=static])
	AS_IF([test -n "$PYTHON_LINK"], [AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])])])
AS_IF([test -z "$PYTHON_LINK" && test "$with_python_link" = static],
	[AC_MSG_ERROR([--with-python-link=static: Python $gw_py_version at $gw_py_executable has no lib$gw_py_lib.a that links; config.log says why])])
AS_IF([test -z "$PYTHON_LINK"], [
	AS_IF([test -n "$gw_py_libdir"], [],
		[AC_MSG_ERROR([Python $gw_py_version at $gw_py_executable has neither a lib$gw_py_lib.a that links nor a shared library lib$gw_py_lib.so, so it cannot be embedded. Install it (Debian: libpython$gw_py_version-dev), build that Python with --enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared), or choose another one: ./configure PYTHON=/path/to/python3])])
	AC_MSG_CHECKING([whether Python $PYTHON_VERSION links])
	PYTHON_LIBS="-L$gw_py_libdir -l$gw_py_lib"
	PYTHON_LDFLAGS=
	AS_CASE([$gw_py_libdir],
		[/lib|/lib64|/usr/lib|/usr/lib64|/lib/*-linux-*|/usr/lib/*-linux-*], [],
		[PYTHON_LDFLAGS="-Wl,-rpath,$gw_py_libdir"])
	GW_PYTHON_LINKS([PYTHON_LINK=shared])
	AS_IF([test -n "$PYTHON_LINK"], [AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([a program with $PYTHON_LIBS does not link; config.log says why])])])

AC_SUBST([PYTHON_VERSION])
AC_SUBST([PYTHON_EXECUTABLE])
AC_SUBST([PYTHON_CPPFLAGS])
AC_SUBST([PYTHON_LIBS])
AC_SUBST([PYTHON_LDFLAGS])
])

# GW_PYTHON_LINKS(IF-IT-DOES): tries a program with PYTHON_LIBS and PYTHON_LDFLAGS.
AC_DEFUN([GW_PYTHON_LINKS], [
CPPFLAGS="$CPPFLAGS $PYTHON_CPPFLAGS" LIBS="$PYTHON_LIBS $LIBS" LDFLAGS="$LDFLAGS $PYTHON_LDFLAGS"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <Python.h>]],
	[[PyConfig config; PyConfig_InitPythonConfig(&config); return Py_IsInitialized();]])], [$1])
CPPFLAGS=$gw_save_CPPFLAGS LIBS=$gw_save_LIBS LDFLAGS=$gw_save_LDFLAGS
])
