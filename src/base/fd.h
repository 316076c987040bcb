/* SPDX-License-Identifier: MIT */
/*
 * fd.h - file descriptors: flags, memfds, passing them along.
 *
 * All functions return 0 (or the new fd) or a negative errno.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/base.h"

#define FD_NONE (-1)

/* Closes *fd unless it is negative, and sets it to FD_NONE. */
void fd_close(int *fd);
int fd_set_cloexec(int fd, bool is_cloexec);
int fd_set_nonblock(int fd, bool is_nonblock);
/*
 * Gives the kernel's table of this process room for so many fds, as far as the limit of open files allows; `any` is one that is
 * open. To be called while there is one thread: with more of them the kernel stops whoever opens one more than
 * fit (the 65th, then at each doubling) until all processors have let go of the old table, 5 to 24 ms. A failure costs nothing else.
 */
void fd_make_room(int any, size_t count);
/* Closes every fd >= lowest. Async-signal-safe. */
void fd_close_from(int lowest);
/* A close-on-exec memfd of that size, zero-filled. */
int fd_memfd(const char *name, size_t size_bytes);
/* Writes everything to a blocking fd, retrying EINTR. */
int fd_write_all(int fd, const void *data, size_t len);
/*
 * Puts a file with these contents at path, atomically: a temporary file beside it, then a rename. Mode 0644, less the umask
 * unless ignores_umask. 0 or -errno; then what was at path is unchanged and nothing is left behind.
 */
int fd_replace_file(const char *path, const void *data, size_t len, bool ignores_umask);
/* Reads a whole (small) file; *ret_text is malloc'ed and terminated, the caller frees. -EFBIG above max_bytes. */
int fd_read_file(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len);
/* A connected pair of SOCK_SEQPACKET unix sockets, close-on-exec, non-blocking on the first end only. */
int fd_seqpacket_pair(int ret_fds[2]);

/* What was written to a socket and the other end's kernel has not taken over yet (TCP), or the other end has not read (unix). */
size_t fd_queued_bytes(int fd);

enum { FD_SEND_MAX = 64 };
/* One datagram with up to FD_SEND_MAX fds (SCM_RIGHTS). Returns 0 or -errno (-EAGAIN on a full non-blocking socket). */
int fd_send(int socket, const void *data, size_t len, const int *fds, size_t fd_count);
/*
 * One datagram; received fds are close-on-exec and belong to the caller. Returns the length, 0 at end of file, or -errno.
 * -EMSGSIZE when data or fds did not fit (fds that arrived are closed).
 */
ssize_t fd_receive(int socket, void *data, size_t size, int *ret_fds, size_t fd_max, size_t *ret_fd_count);

#endif
