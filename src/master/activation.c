/* SPDX-License-Identifier: MIT */
/*
 * activation.c - sockets that a service manager opened for us.
 *
 * Called by main.c, once, before all else. The sockets keep their numbers: what is open is not given out again, and the
 * template gets its own fds 3 and 4 in its own process. Uses no libsystemd; never unlinks anything.
 */
#include "base/base.h"

#include "master/activation.h"

#include "base/fd.h"
#include "base/span.h"
#include "master/listeners.h"

int activation_parse(const char *pid_text, const char *fds_text, pid_t self, size_t *ret_count, struct err *err)
{
	uint64_t pid;
	uint64_t count;

	*ret_count = 0;
	/* gunicorn: systemd.py listen_fds() */
	if (pid_text == NULL || !span_to_u64(span_from_str(pid_text), &pid) || pid != (uint64_t)self)
		return 0;
	if (fds_text == NULL)
		return 0;
	if (!span_to_u64(span_from_str(fds_text), &count))
		return err_set(err, -EINVAL, "LISTEN_FDS is no number: '%s'", fds_text);
	if (count > LISTENERS_MAX)
		return err_set(err, -EINVAL, "LISTEN_FDS gives %s sockets; at most %d are accepted", fds_text, LISTENERS_MAX);
	*ret_count = (size_t)count;
	return 0;
}

/* What a child of ours finds there is not meant for it. */
static void forget_variables(const char *pid_text)
{
	uint64_t pid;

	if (pid_text == NULL || !span_to_u64(span_from_str(pid_text), &pid) || pid != (uint64_t)getpid())
		return;
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
}

int activation_take(struct strlist *binds, struct err *err)
{
	size_t count;
	int error = activation_parse(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getpid(), &count, err);

	if (error != 0)
		return error;
	for (size_t i = 0; i < count; i++) {
		int fd = ACTIVATION_FIRST_FD + (int)i;

		error = fd_set_cloexec(fd, true);
		if (error != 0)
			return err_set_errno(err, error, "LISTEN_FDS gives %zu sockets, but fd %d can't be used", count, fd);
		strlist_add_take(binds, xasprintf("fd://%d", fd));
	}
	forget_variables(getenv("LISTEN_PID"));
	return 0;
}
