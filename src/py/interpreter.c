/* SPDX-License-Identifier: MIT */
/*
 * interpreter.c - which Python: the environment that the application's packages are in.
 *
 * Called by worker/main.c before Python starts. Reads files and the environment only; must not start or import anything. An
 * extension module built for another minor version would crash us, so such an environment is refused here.
 */
#include "base/base.h"

#include "py/interpreter.h"

#include "py/py.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/span.h"

enum { PYVENV_CFG_MAX_BYTES = 64 * 1024 };

#define OUR_VERSION Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION)

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

static bool has(const char *directory, const char *name)
{
	char *path = xasprintf("%s/%s", directory, name);
	bool is_there = access(path, F_OK) == 0;

	free(path);
	return is_there;
}

/* ---- versions ---- */

static int refuse_version(const char *what, const char *directory, struct span version, struct err *err)
{
	return err_set(err, -EINVAL,
	               "the %s %s is of Python %.*s, but this gunwale was built for Python " OUR_VERSION ": make the environment "
	               "anew with that Python, choose another with --python, or build gunwale with PYTHON=%s/bin/python3",
	               what, directory, SPAN_ARG(version), directory);
}

static bool is_ours(struct span version)
{
	struct span ours = SPAN_LIT(OUR_VERSION);

	return span_starts_with(version, ours) && (version.len == ours.len || version.at[ours.len] == '.');
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

/* An installation that is no virtual environment has lib/pythonX.Y, perhaps several. */
static int check_prefix_version(const char *what, const char *prefix, struct err *err)
{
	char *lib = xasprintf("%s/lib", prefix);
	DIR *folder = opendir(lib);
	struct dirent *entry;
	char other[32] = "";
	int rc = 0;

	if (!has(lib, "python" OUR_VERSION)) {
		while (folder != NULL && (entry = readdir(folder)) != NULL) {
			if (strncmp(entry->d_name, "python", 6) == 0 && strchr(entry->d_name, '.') != NULL)
				(void)snprintf(other, sizeof(other), "%s", entry->d_name + 6);
		}
		if (other[0] != '\0')
			rc = refuse_version(what, prefix, span_from_str(other), err);
	}
	if (folder != NULL)
		(void)closedir(folder);
	free(lib);
	return rc;
}

/* ---- environments ---- */

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

static int find_python_in(const char *what, const char *directory, char **ret_executable, struct err *err)
{
	static const char *const names[] = { "python3", "python" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/bin/%s", directory, names[i]);
		if (access(path, X_OK) == 0) {
			*ret_executable = path;
			return 0;
		}
		free(path);
	}
	return err_set(err, -EINVAL, "the %s %s has no bin/python3", what, directory);
}

/* 0: fits; or -EINVAL with a sentence. */
static int check_venv_version(const char *directory, const char *config, struct err *err)
{
	struct span version = find_venv_version(config);

	return version.len == 0 || is_ours(version) ? 0 : refuse_version("virtual environment", directory, version, err);
}

/* True: found or err is set, *ret_result says which; false: no environment. */
static bool try_venv(const char *directory, char **ret_executable, int *ret_result, struct err *err)
{
	char *config = read_venv_config(directory);

	if (config == NULL)
		return false;
	*ret_result = check_venv_version(directory, config, err);
	if (*ret_result == 0)
		*ret_result = find_python_in("virtual environment", directory, ret_executable, err);
	free(config);
	return true;
}

/* The same. conda keeps its book of packages in conda-meta. */
static bool try_conda(const char *directory, char **ret_executable, int *ret_result, struct err *err)
{
	if (!has(directory, "conda-meta"))
		return false;
	*ret_result = check_prefix_version("conda environment", directory, err);
	if (*ret_result == 0)
		*ret_result = find_python_in("conda environment", directory, ret_executable, err);
	return true;
}

/* ---- --python ---- */

/* An executable: what it belongs to says the version, where its name does not. */
static int check_executable(const char *path, struct err *err)
{
	char *directory = directory_of(path), *prefix = directory_of(directory), *config = read_venv_config(prefix);
	char *real = NULL, *real_directory = NULL;
	const char *version;
	int rc;

	if (config != NULL) {
		rc = check_venv_version(prefix, config, err);
		goto out;
	}
	real = realpath(path, NULL);
	version = real != NULL ? strstr(strrchr(real, '/'), "python3.") : NULL;
	if (version != NULL) {
		struct span text = span_from_str(version + strlen("python"));

		rc = is_ours(text) ? 0 : refuse_version("interpreter", path, text, err);
		goto out;
	}
	real_directory = directory_of(real != NULL ? real : path);
	free(prefix);
	prefix = directory_of(real_directory);
	rc = check_prefix_version("installation", prefix, err);
out:
	free(real_directory);
	free(real);
	free(config);
	free(prefix);
	free(directory);
	return rc;
}

/* "python3.11" without a folder is looked for as the shell does. */
static char *search_path(const char *name)
{
	struct span rest = span_from_str(getenv("PATH")), folder;

	while (span_split(&rest, ':', &folder)) {
		char *candidate = xasprintf("%.*s/%s", SPAN_ARG(folder), name);

		if (folder.len > 0 && access(candidate, X_OK) == 0)
			return candidate;
		free(candidate);
	}
	return xstrdup(name);
}

/* Links are kept: an environment is recognised by where they lie. */
static char *absolute_path(const char *wanted)
{
	char *path = strchr(wanted, '/') != NULL || access(wanted, F_OK) == 0 ? xstrdup(wanted) : search_path(wanted);
	char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	if (here != NULL) {
		char *joined = xasprintf("%s/%s", here, path);

		free(path);
		path = joined;
	}
	free(here);
	return path;
}

static int find_wanted(const char *wanted, char **ret_executable, struct err *err)
{
	char *absolute = absolute_path(wanted);
	struct stat found;
	int rc = 0;

	if (stat(absolute, &found) != 0) {
		rc = err_set_errno(err, -errno, "--python: there is no %s", wanted);
	} else if (!S_ISDIR(found.st_mode)) {
		rc = access(absolute, X_OK) == 0 ? check_executable(absolute, err) :
		                                   err_set(err, -EINVAL, "--python: %s can't be executed", wanted);
		if (rc == 0)
			*ret_executable = xstrdup(absolute);
	} else if (!try_venv(absolute, ret_executable, &rc, err)) {
		rc = check_prefix_version("installation", absolute, err);
		if (rc == 0)
			rc = find_python_in("folder", absolute, ret_executable, err);
	}
	free(absolute);
	return rc;
}

/* ---- */

static bool is_named(const char *variable)
{
	return variable != NULL && variable[0] != '\0';
}

/* What is active in the shell. conda's base is active in every shell of its users, and says nothing. */
static bool try_active(char **ret_executable, int *ret_result, struct err *err)
{
	const char *venv = getenv("VIRTUAL_ENV"), *conda = getenv("CONDA_PREFIX"), *name = getenv("CONDA_DEFAULT_ENV");

	if (is_named(venv) && try_venv(venv, ret_executable, ret_result, err))
		return true;
	return is_named(conda) && (name == NULL || strcmp(name, "base") != 0) &&
	       try_conda(conda, ret_executable, ret_result, err);
}

int interpreter_find(const char *program, const char *wanted, char **ret_executable, struct err *err)
{
	char *directory = NULL, *parent = NULL;
	int result = 0;

	*ret_executable = NULL;
	if (is_named(wanted))
		return find_wanted(wanted, ret_executable, err);
	if (program != NULL && program[0] == '/') {
		directory = directory_of(program);
		parent = directory_of(directory);
		if (try_venv(directory, ret_executable, &result, err) || try_venv(parent, ret_executable, &result, err) ||
		    try_conda(parent, ret_executable, &result, err))
			goto out;
	}
	if (try_active(ret_executable, &result, err))
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
