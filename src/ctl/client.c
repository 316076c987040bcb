/* SPDX-License-Identifier: MIT */
/*
 * client.c - a question to a server's control socket.
 *
 * Called by main.c and top.c. A connection for each question: so a server that is restarted meanwhile is found again.
 */
#include "base/base.h"

#include "ctl/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/fd.h"

enum {
	PATIENCE_SECONDS = 10,
	REPLY_BYTES = 64 * 1024 * 1024,
};

static int connect_to(const char *path, struct err *err)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return err_set_errno(err, -ENAMETOOLONG, "can't connect to '%s'", path);
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, -errno, "can't make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
		err_set_errno(err, -errno, "can't connect to '%s'", path);
		fd_close(&fd);
	}
	return fd;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t count = send(fd, data, len, MSG_NOSIGNAL);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0) {
			data += count;
			len -= (size_t)count;
		}
	}
	return 0;
}

/* Up to the newline. */
static int receive_line(int fd, struct buf *into)
{
	while (into->len == 0 || into->data[into->len - 1] != '\n') {
		ssize_t count;

		if (into->len > REPLY_BYTES || buf_try_reserve(into, 64 * 1024) != 0)
			return -EMSGSIZE;
		count = recv(fd, into->data + into->len, into->cap - into->len, 0);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (count == 0)
			return -ECONNRESET;
		into->len += (size_t)count;
	}
	return 0;
}

static enum client_result judge(const struct buf *line, json_t **ret_reply, struct err *err)
{
	json_error_t error;
	json_t *reply = json_loadb(line->data, line->len, 0, &error);
	const char *why = json_string_value(json_object_get(reply, "error"));

	if (json_is_true(json_object_get(reply, "ok"))) {
		*ret_reply = reply;
		return CLIENT_OK;
	}
	err_set(err, -EPROTO, "%s", why != NULL ? why : "the answer is none that this program understands");
	json_decref(reply);
	return CLIENT_REFUSED;
}

enum client_result client_ask(const char *path, json_t *request_take, json_t **ret_reply, struct err *err)
{
	char *text = json_dumps(request_take, JSON_COMPACT);
	char *line = xasprintf("%s\n", text != NULL ? text : "{}");
	struct buf reply = BUF_NONE;
	enum client_result result = CLIENT_NO_SERVER;
	int fd = connect_to(path, err);
	int error;

	*ret_reply = NULL;
	if (fd < 0)
		goto out;
	/* One that refuses us has closed before it has heard anything; what it said counts. */
	(void)send_all(fd, line, strlen(line));
	error = receive_line(fd, &reply);
	if (error != 0)
		err_set_errno(err, error, "no answer from '%s'", path);
	else
		result = judge(&reply, ret_reply, err);
out:
	fd_close(&fd);
	buf_release(&reply);
	free(line);
	free(text);
	json_decref(request_take);
	return result;
}
