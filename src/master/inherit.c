/* SPDX-License-Identifier: MIT */
/*
 * inherit.c - what a new master got from the one it shall replace.
 *
 * Called by main.c, once. Reads the environment and looks at the sockets; which of them serves which address is the business of
 * listeners.c.
 */
#include "base/base.h"

#include "master/inherit.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/span.h"

static int parse_fds(struct span text, struct inherited *inherited, struct err *err)
{
	struct span rest = text;
	struct span piece;

	while (span_split(&rest, ',', &piece)) {
		uint64_t fd;

		if (!span_to_u64(span_trim(piece, " "), &fd) || fd > INT32_MAX)
			return err_set(err, -EINVAL, "GUNICORN_FD is no list of file descriptors: '%.*s'", SPAN_ARG(text));
		if (inherited->count == LISTENERS_MAX)
			return err_set(err, -EINVAL, "GUNICORN_FD names more than %d sockets", LISTENERS_MAX);
		inherited->fds[inherited->count++] = (int)fd;
	}
	return 0;
}

int inherit_parse(const char *pid_text, const char *fds_text, bool has_sockets, struct inherited *ret_inherited,
                  struct err *err)
{
	uint64_t pid;

	memset(ret_inherited, 0, sizeof(*ret_inherited));
	if (pid_text == NULL || (!has_sockets && (fds_text == NULL || fds_text[0] == '\0')))
		return 0;
	if (!span_to_u64(span_from_str(pid_text), &pid) || pid == 0 || pid > INT32_MAX)
		return err_set(err, -EINVAL, "GUNICORN_PID is no process id: '%s'", pid_text);
	ret_inherited->parent = (pid_t)pid;
	return has_sockets ? 0 : parse_fds(span_from_str(fds_text), ret_inherited, err);
}

static int check_socket(int fd, struct err *err)
{
	int is_listening = 0;
	socklen_t len = sizeof(is_listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || is_listening == 0)
		return err_set(err, -ENOTSOCK, "GUNICORN_FD names fd %d, which is no listening socket", fd);
	return fd_set_cloexec(fd, true);
}

int inherit_take(struct inherited *ret_inherited, bool has_sockets, struct err *err)
{
	int error = inherit_parse(getenv("GUNICORN_PID"), getenv("GUNICORN_FD"), has_sockets, ret_inherited, err);

	for (size_t i = 0; error == 0 && i < ret_inherited->count; i++)
		error = check_socket(ret_inherited->fds[i], err);
	if (error == 0 && ret_inherited->parent == 0) {
		(void)unsetenv("GUNICORN_PID");
		(void)unsetenv("GUNICORN_FD");
	}
	return error;
}
