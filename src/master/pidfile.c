/* SPDX-License-Identifier: MIT */
/*
 * pidfile.c - the file that tells our pid.
 *
 * Called by generation.c and master.c.
 */
#include "base/base.h"

#include "master/pidfile.h"

#include "base/fd.h"
#include "base/span.h"

/* The pid in the file; 0 when there is none that makes sense. */
static pid_t read_pid(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	uint64_t number = 0;

	if (fd_read_file(path, 64, &text, &len) != 0)
		return 0;
	if (!span_to_u64(span_trim(span_of(text, len), " \t\r\n"), &number) || number > INT32_MAX)
		number = 0;
	free(text);
	return (pid_t)number;
}

/* "/usr/bin/python3 /usr/bin/gunicorn app:app", "gunicorn: master [app:app]", as /proc shows it: NUL between the arguments. */
static bool is_gunicorn(const char *cmdline, size_t len)
{
	struct span rest = span_of(cmdline, len);
	struct span argument;

	for (int i = 0; i < 4 && span_split(&rest, '\0', &argument); i++) {
		const char *slash = argument.len > 0 ? memrchr(argument.at, '/', argument.len) : NULL;

		if (slash != NULL)
			argument = span_of(slash + 1, argument.len - (size_t)(slash + 1 - argument.at));
		if (span_starts_with(argument, SPAN_LIT("gunicorn")))
			return true;
	}
	return false;
}

static char *read_proc(pid_t pid, const char *name, size_t *ret_len)
{
	char path[64];
	char *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return fd_read_file(path, 1024 * 1024, &text, ret_len) == 0 ? text : NULL;
}

/*
 * Is it a master like us? After a restart of a container the pid in an old file often belongs to something else by now, and be it
 * a template or a worker of our own.
 */
static bool is_living_server(pid_t pid)
{
	size_t len = 0;

	if (pid <= 0 || pid == getpid())
		return false;

	char *comm = read_proc(pid, "comm", &len);
	bool is_server = comm != NULL && span_equals(span_trim(span_of(comm, len), "\n"), SPAN_LIT("gunwale"));

	free(comm);
	if (is_server)
		return true;

	char *cmdline = read_proc(pid, "cmdline", &len);

	is_server = cmdline != NULL && is_gunicorn(cmdline, len);
	free(cmdline);
	return is_server;
}

static int check_free(const char *path, struct err *err)
{
	pid_t other = read_pid(path);

	if (!is_living_server(other))
		return 0;
	return err_set(err, -EEXIST, "Already running on PID %ld (or pid file '%s' is stale)", (long)other, path);
}

int pidfile_create(const char *path, struct err *err)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	int error = check_free(path, err);

	if (error != 0)
		return error;
	/* gunicorn: mode 0644 whatever the umask. */
	error = fd_replace_file(path, text, (size_t)len, true);
	return error == 0 ? 0 : err_set_errno(err, error, "can't write pid file '%s'", path);
}

int pidfile_rename(const char *from, const char *to, struct err *err)
{
	int error = check_free(to, err);

	if (error != 0)
		return error;
	return rename(from, to) == 0 ? 0 : err_set_errno(err, -errno, "can't rename pid file '%s' to '%s'", from, to);
}

void pidfile_remove(const char *path)
{
	if (path != NULL && read_pid(path) == getpid())
		(void)unlink(path);
}
