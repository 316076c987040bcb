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

/* Is it a server like us? After a restart of a container the pid in an old file often belongs to something else by now. */
static bool is_living_server(pid_t pid)
{
	char path[64];
	char *comm = NULL;
	size_t len = 0;

	if (pid <= 0 || pid == getpid())
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	if (fd_read_file(path, 256, &comm, &len) != 0)
		return false;

	bool is_server = strncmp(comm, "gunwale", 7) == 0 || strncmp(comm, "gunicorn", 8) == 0;

	free(comm);
	return is_server;
}

int pidfile_create(const char *path, struct err *err)
{
	pid_t other = read_pid(path);
	int error;

	if (is_living_server(other))
		return err_set(err, -EEXIST, "Already running on PID %ld (or pid file '%s' is stale)", (long)other, path);

	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* gunicorn: mode 0644 whatever the umask. */
	error = fd_replace_file(path, text, (size_t)len, true);
	return error == 0 ? 0 : err_set_errno(err, error, "can't write pid file '%s'", path);
}

void pidfile_remove(const char *path)
{
	if (path != NULL && read_pid(path) == getpid())
		(void)unlink(path);
}
