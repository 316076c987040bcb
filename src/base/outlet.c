/* SPDX-License-Identifier: MIT */
/*
 * outlet.c - where log lines leave the process.
 *
 * Called by log.c, and by whoever writes access lines. Never blocks, never allocates while writing, never logs.
 *
 * How a blocking fd that is shared with others is written to without blocking: a pipe or terminal is opened once more
 * through /proc, which gives an open file of our own with O_NONBLOCK; a socket takes MSG_DONTWAIT; where neither works,
 * poll() first and write no more than PIPE_BUF at a time, which a writable pipe takes as a whole.
 */
#include "base/base.h"

#include "base/outlet.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"

enum outlet_kind { KIND_PLAIN, KIND_STREAM, KIND_SOCKET };

/* Finds out what fd is and how it can be written to. */
static void probe(struct outlet *outlet, int fd)
{
	struct stat info;
	outlet->kind = KIND_STREAM;
	outlet->device = 0;
	outlet->inode = 0;
	if (fstat(fd, &info) < 0)
		return;
	outlet->device = info.st_dev;
	outlet->inode = info.st_ino;
	if (S_ISSOCK(info.st_mode)) {
		outlet->kind = KIND_SOCKET;
	} else if (S_ISREG(info.st_mode)) {
		outlet->kind = KIND_PLAIN;
	} else if (S_ISFIFO(info.st_mode) || isatty(fd)) {
		char link[32];
		(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		outlet->own_file = open(link, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
}

static void forget_own_file(struct outlet *outlet)
{
	int own_file = atomic_exchange(&outlet->own_file, FD_NONE);
	fd_close(&own_file);
}

int outlet_open(struct outlet *outlet, const char *path, int standard_fd, struct err *err)
{
	bool is_standard = strcmp(path, "-") == 0;
	int fd = standard_fd;
	if (!is_standard) {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
		if (fd < 0)
			return err_set_errno(err, -errno, "'%s' isn't writable", path);
	}

	char *copy = xstrdup(path);
	free(outlet->path);
	outlet->path = copy;
	forget_own_file(outlet);
	/* dup3() exchanges the file in one step: a thread that writes meanwhile never meets a closed number. */
	if (!is_standard && outlet->is_ours && dup3(fd, outlet->fd, O_CLOEXEC) >= 0) {
		fd_close(&fd);
		fd = outlet->fd;
	} else {
		int old = outlet->is_ours ? outlet->fd : FD_NONE;
		outlet->fd = fd;
		fd_close(&old);
	}
	outlet->is_ours = !is_standard;
	probe(outlet, fd);
	return 0;
}

int outlet_reopen(struct outlet *outlet, struct err *err)
{
	if (!outlet->is_ours || outlet->path == NULL)
		return 0;
	char *path = xstrdup(outlet->path);
	int result = outlet_open(outlet, path, FD_NONE, err);
	free(path);
	return result;
}

void outlet_close(struct outlet *outlet)
{
	int fd = atomic_exchange(&outlet->fd, FD_NONE);
	if (outlet->is_ours)
		fd_close(&fd);
	outlet->is_ours = false;
	forget_own_file(outlet);
	free(outlet->path);
	outlet->path = NULL;
}

static ssize_t write_again(int fd, const char *text, size_t len)
{
	ssize_t done;
	do {
		done = write(fd, text, len);
	} while (done < 0 && errno == EINTR);
	return done;
}

/* In pieces that a writable pipe takes without blocking. Returns how much went out, -1 when nothing did. */
static ssize_t write_polled(int fd, const char *text, size_t len)
{
	size_t sent = 0;
	while (sent < len) {
		struct pollfd ready = { .fd = fd, .events = POLLOUT };
		if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
			break;
		ssize_t done = write_again(fd, text + sent, MIN(len - sent, (size_t)PIPE_BUF));
		if (done <= 0)
			break;
		sent += (size_t)done;
	}
	return sent != 0 ? (ssize_t)sent : -1;
}

static ssize_t send_some(struct outlet *outlet, const char *text, size_t len)
{
	int fd = outlet->fd;
	struct stat info;
	ssize_t done;
	switch ((enum outlet_kind)outlet->kind) {
	case KIND_PLAIN:
		return write_again(fd, text, len);
	case KIND_SOCKET:
		do {
			done = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		} while (done < 0 && errno == EINTR);
		return done < 0 && errno == ENOTSOCK ? write_polled(fd, text, len) : done;
	case KIND_STREAM:
		break;
	}
	/* Somebody may have put another file under the number, as daemons do with 2: then ours is no longer the same. */
	int own_file = outlet->own_file;
	if (own_file >= 0 && fstat(fd, &info) == 0 && info.st_dev == outlet->device && info.st_ino == outlet->inode)
		return write_again(own_file, text, len);
	return write_polled(fd, text, len);
}

bool outlet_write(struct outlet *outlet, const char *text, size_t len)
{
	int saved = errno;
	bool is_cut = atomic_load(&outlet->is_cut);
	if (is_cut && send_some(outlet, "\n", 1) == 1) {
		atomic_store(&outlet->is_cut, false);
		is_cut = false;
	}
	ssize_t done = is_cut ? -1 : send_some(outlet, text, len);
	if (done > 0 && (size_t)done < len)
		atomic_store(&outlet->is_cut, true);
	errno = saved;
	if (done >= 0 && (size_t)done == len)
		return true;
	atomic_fetch_add(&outlet->dropped_total, 1);
	atomic_fetch_add(&outlet->dropped_unreported, 1);
	return false;
}

uint64_t outlet_take_dropped(struct outlet *outlet)
{
	return atomic_exchange(&outlet->dropped_unreported, 0);
}

uint64_t outlet_dropped_total(struct outlet *outlet)
{
	return atomic_load(&outlet->dropped_total);
}
