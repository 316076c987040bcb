/* SPDX-License-Identifier: MIT */
/*
 * embed.c - the start of Python inside our process.
 *
 * Called by worker/main.c, once. The interpreter is told which executable it stands for and finds everything else itself, as
 * that executable would: never PYTHONHOME, never isolated, or virtual environments and sitecustomize wrappers break.
 * Must not import anything: boot.c does.
 */
#include "base/base.h"

#include "py/embed.h"

#include "py/py.h"

#include "py/module.h"

int embed_start(const char *executable, int *ret_exit_code, struct err *err)
{
	PyConfig config;
	PyStatus status;
	char *argv[] = { NULL, NULL };
	int result = 0;

	*ret_exit_code = 0;
	argv[0] = xstrdup(executable);
	if (PyImport_AppendInittab("_gunwale", module_open) != 0) {
		free(argv[0]);
		return err_set(err, -EINVAL, "no memory for Python's table of built-in modules");
	}
	PyConfig_InitPythonConfig(&config);
	config.parse_argv = 0;
	config.install_signal_handlers = 1; /* SIGPIPE and SIGXFSZ to ignore; SIGINT has our handler already and keeps it */
	/* Both: 3.9 and 3.10 look at the program's name where 3.11 and later look at the executable. */
	status = PyConfig_SetBytesString(&config, &config.program_name, executable);
	if (PyStatus_Exception(status))
		goto out;
	status = PyConfig_SetBytesString(&config, &config.executable, executable);
	if (PyStatus_Exception(status))
		goto out;
	/* A placeholder: boot.c sets sys.argv to the command line of gunwale. */
	status = PyConfig_SetBytesArgv(&config, 1, argv);
	if (PyStatus_Exception(status))
		goto out;
	status = Py_InitializeFromConfig(&config);
out:
	PyConfig_Clear(&config);
	free(argv[0]);
	if (PyStatus_IsExit(status)) {
		*ret_exit_code = status.exitcode;
		result = err_set(err, -ECANCELED, "Python asked to exit while it started");
	} else if (PyStatus_Exception(status)) {
		result = err_set(err, -EINVAL, "Python does not start as %s: %s", executable,
		                 status.err_msg != NULL ? status.err_msg : "unknown reason");
	}
	return result;
}
