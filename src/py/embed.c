/* SPDX-License-Identifier: MIT */
/*
 * embed.c - which Python, and its start inside our process.
 *
 * Called by worker/main.c, once. The interpreter is told which executable it stands for and finds everything else itself, as
 * that executable would: never PYTHONHOME, never isolated, or virtual environments and sitecustomize wrappers break.
 * Must not import anything: boot.c does.
 */
#include "base/base.h"

#include "py/embed.h"

#include "py/py.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/span.h"
#include "py/module.h"

enum { PYVENV_CFG_MAX_BYTES = 64 * 1024 };

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

/* The text of DIR/pyvenv.cfg; NULL when DIR is no virtual environment. */
static char *read_venv_config(const char *directory)
{
	char *path = xasprintf("%s/pyvenv.cfg", directory);
	char *text = NULL;
	size_t len = 0;

	if (fd_read_file(path, PYVENV_CFG_MAX_BYTES, &text, &len) != 0)
		text = NULL;
	free(path);
	return text;
}

/* The value of `version` (venv) or `version_info` (virtualenv), "3.11.2"; empty when the file does not say. */
static struct span find_venv_version(const char *config)
{
	struct span rest = span_from_str(config), line;

	while (span_split(&rest, '\n', &line)) {
		ssize_t equals = span_find(line, '=');
		if (equals < 0)
			continue;
		struct span key = span_trim(span_of(line.at, (size_t)equals), " \t\r");
		if (span_equals_nocase(key, SPAN_LIT("version")) || span_equals_nocase(key, SPAN_LIT("version_info")))
			return span_trim(span_of(line.at + equals + 1, line.len - (size_t)equals - 1), " \t\r");
	}
	return SPAN_NONE;
}

/* An extension module built for another minor version would crash us, so this is refused before Python starts. */
static int check_venv_version(const char *directory, const char *config, struct err *err)
{
	struct span version = find_venv_version(config);
	size_t ours_len = sizeof(Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION)) - 1;
	struct span ours = span_of(Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION), ours_len);

	if (version.len == 0)
		return 0;
	if (span_starts_with(version, ours) && (version.len == ours.len || version.at[ours.len] == '.'))
		return 0;
	return err_set(err, -EINVAL,
	               "the virtual environment %s is of Python %.*s, but this gunwale was built for Python %.*s: "
	               "make the environment anew with that Python, or build gunwale with PYTHON=%s/bin/python3",
	               directory, SPAN_ARG(version), SPAN_ARG(ours), directory);
}

static int find_venv_python(const char *directory, const char *config, char **ret_executable, struct err *err)
{
	static const char *const names[] = { "python3", "python" };
	int result = check_venv_version(directory, config, err);

	if (result != 0)
		return result;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/bin/%s", directory, names[i]);
		if (access(path, X_OK) == 0) {
			*ret_executable = path;
			return 0;
		}
		free(path);
	}
	return err_set(err, -EINVAL, "the virtual environment %s has no bin/python3", directory);
}

/* 1: found or err is set, *ret_result says which; 0: not a virtual environment. */
static bool try_venv(const char *directory, char **ret_executable, int *ret_result, struct err *err)
{
	char *config = read_venv_config(directory);

	if (config == NULL)
		return false;
	*ret_result = find_venv_python(directory, config, ret_executable, err);
	free(config);
	return true;
}

int embed_find_python(const char *program, char **ret_executable, struct err *err)
{
	char *directory = NULL, *parent = NULL;
	const char *active = getenv("VIRTUAL_ENV");
	int result = 0;

	*ret_executable = NULL;
	if (program != NULL && program[0] == '/') {
		directory = directory_of(program);
		parent = directory_of(directory);
		if (try_venv(directory, ret_executable, &result, err) || try_venv(parent, ret_executable, &result, err))
			goto out;
	}
	if (active != NULL && active[0] != '\0' && try_venv(active, ret_executable, &result, err))
		goto out;
	if (access(GUNWALE_DEFAULT_PYTHON, X_OK) == 0)
		*ret_executable = xstrdup(GUNWALE_DEFAULT_PYTHON);
	else
		result = err_set_errno(err, -errno, "the Python that gunwale was built for is gone: %s",
		                       GUNWALE_DEFAULT_PYTHON);
out:
	free(parent);
	free(directory);
	return result;
}

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
