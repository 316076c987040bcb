/* SPDX-License-Identifier: MIT */
/*
 * fd.c - file descriptors: flags, memfds, passing them along.
 *
 * Called by everybody who holds one. Every fd made here is close-on-exec from birth. Never logs.
 */
#include "base/base.h"

#include "base/fd.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/check.h"

/* Room for one message of the largest kind and some more behind it; the kernel may give less. */
enum { PAIR_BUFFER_BYTES = 256 * 1024 };

void fd_close(int *fd)
{
	if (*fd < 0)
		return;
	int saved = errno;
	/* Never again after EINTR: Linux has let go of the number already, and it may be somebody else's now. */
	(void)close(*fd);
	errno = saved;
	*fd = FD_NONE;
}

int fd_set_cloexec(int fd, bool is_cloexec)
{
	int flags = fcntl(fd, F_GETFD);
	if (flags < 0)
		return -errno;
	int wanted = is_cloexec ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
	return wanted != flags && fcntl(fd, F_SETFD, wanted) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool is_nonblock)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	int wanted = is_nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return wanted != flags && fcntl(fd, F_SETFL, wanted) < 0 ? -errno : 0;
}

void fd_make_room(int any, size_t count)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	count = MIN(count, MIN((size_t)limit.rlim_cur, (size_t)INT32_MAX));
	if (count == 0)
		return;
	fd = fcntl(any, F_DUPFD_CLOEXEC, (int)count - 1);
	if (fd >= 0)
		(void)close(fd);
}

/* What getdents64 writes. */
struct kernel_dirent {
	uint64_t inode;
	int64_t offset;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* Without opendir(), which allocates. false when /proc is not there. */
static bool close_listed(int lowest)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	_Alignas(struct kernel_dirent) char entries[2048];
	long size;
	while ((size = syscall(SYS_getdents64, dir, entries, sizeof entries)) > 0) {
		for (long at = 0; at < size;) {
			const struct kernel_dirent *entry = (const void *)(entries + at);
			at += entry->len;
			int fd = 0;
			const char *c = entry->name;
			for (; *c >= '0' && *c <= '9'; c++)
				fd = fd * 10 + (*c - '0');
			if (*c == '\0' && fd >= lowest && fd != dir)
				(void)close(fd);
		}
	}
	(void)close(dir);
	return true;
}

void fd_close_from(int lowest)
{
	if (syscall(SYS_close_range, (unsigned)lowest, ~0U, 0U) == 0)
		return;
	/* Before Linux 5.9, and under seccomp filters that do not know the call. */
	if (close_listed(lowest))
		return;
	struct rlimit limit = { 1024, 1024 };
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (rlim_t fd = (rlim_t)lowest; fd < limit.rlim_cur && fd < INT32_MAX; fd++)
		(void)close((int)fd);
}

int fd_memfd(const char *name, size_t size_bytes)
{
	int result;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size_bytes) < 0) {
		result = -errno;
		goto out;
	}
	/* Otherwise a worker could cut the file, and whoever reads the missing pages would die of SIGBUS. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		result = -errno;
		goto out;
	}
	return fd;
out:
	fd_close(&fd);
	return result;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len != 0) {
		ssize_t done = write(fd, at, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

int fd_replace_file(const char *path, const void *data, size_t len, bool ignores_umask)
{
	char *temporary = xasprintf("%s.%ld.tmp", path, (long)getpid());
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int error = fd < 0 ? -errno : 0;

	if (error == 0)
		error = fd_write_all(fd, data, len);
	if (error == 0 && ignores_umask && fchmod(fd, 0644) != 0)
		error = -errno;
	/* Some file systems tell only now that the disk is full. */
	if (fd >= 0 && close(fd) != 0 && errno != EINTR && error == 0)
		error = -errno;
	if (error == 0 && rename(temporary, path) != 0)
		error = -errno;
	if (error != 0)
		(void)unlink(temporary);
	free(temporary);
	return error;
}

int fd_read_file(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len)
{
	struct buf text = BUF_NONE;
	int result = 0;
	/* O_NONBLOCK: a FIFO of that name must not hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	for (;;) {
		if (buf_try_reserve(&text, 4096) < 0) {
			result = -ENOMEM;
			goto out;
		}
		ssize_t done = read(fd, text.data + text.len, text.cap - text.len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			result = -errno;
			goto out;
		}
		if (done == 0)
			break;
		text.len += (size_t)done;
		if (text.len > max_bytes) {
			result = -EFBIG;
			goto out;
		}
	}
	if (ret_len != NULL)
		*ret_len = text.len;
	*ret_text = buf_detach(&text);
out:
	buf_release(&text);
	fd_close(&fd);
	return result;
}

int fd_seqpacket_pair(int ret_fds[2])
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	int size_bytes = PAIR_BUFFER_BYTES;
	for (int i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
	int result = fd_set_nonblock(fds[0], true);
	if (result < 0) {
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		return result;
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

size_t fd_queued_bytes(int fd)
{
	int count = 0;

	return ioctl(fd, SIOCOUTQ, &count) == 0 && count > 0 ? (size_t)count : 0;
}

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
};

int fd_send(int socket, const void *data, size_t len, const int *fds, size_t fd_count)
{
	CHECK(fd_count <= FD_SEND_MAX);
	union fd_control control;
	struct iovec bytes;
	/* Only read by the kernel, but struct iovec has no const. */
	memcpy(&bytes.iov_base, &data, sizeof data);
	bytes.iov_len = len;
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	if (fd_count != 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	ssize_t sent;
	do {
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Moves all fds out of the control part; those that do not fit are closed. Returns how many there were. */
static size_t take_fds(struct msghdr *message, int *ret_fds, size_t fd_max)
{
	size_t count = 0;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
			if (count < fd_max)
				ret_fds[count] = fd;
			else
				fd_close(&fd);
			count++;
		}
	}
	return count;
}

ssize_t fd_receive(int socket, void *data, size_t size, int *ret_fds, size_t fd_max, size_t *ret_fd_count)
{
	union fd_control control;
	struct iovec bytes = { .iov_base = data, .iov_len = size };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	ssize_t len;
	if (ret_fd_count != NULL)
		*ret_fd_count = 0;
	do {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof control.bytes;
		len = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;

	size_t count = take_fds(&message, ret_fds, fd_max);
	bool is_cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || count > fd_max;
	if (is_cut || len == 0) {
		for (size_t i = 0; i < MIN(count, fd_max); i++)
			fd_close(&ret_fds[i]);
		return is_cut ? -EMSGSIZE : 0;
	}
	if (ret_fd_count != NULL)
		*ret_fd_count = count;
	return len;
}
