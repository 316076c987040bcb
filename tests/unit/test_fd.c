/* SPDX-License-Identifier: MIT */
/*
 * test_fd.c - file descriptors.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static bool is_nonblock(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

Test(fd, close_forgets_the_number_and_keeps_errno)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int number = fd;
	errno = ENOTTY;
	fd_close(&fd);
	cr_assert_eq(fd, FD_NONE);
	cr_assert_eq(errno, ENOTTY);
	cr_assert_not(is_open(number));
	fd_close(&fd);
}

Test(fd, flags_can_be_set_and_taken_back)
{
	int fds[2];
	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(fd_set_cloexec(fds[0], true), 0);
	cr_assert(is_cloexec(fds[0]));
	cr_assert_eq(fd_set_cloexec(fds[0], false), 0);
	cr_assert_not(is_cloexec(fds[0]));
	cr_assert_eq(fd_set_nonblock(fds[0], true), 0);
	cr_assert_eq(fd_set_nonblock(fds[0], true), 0);
	cr_assert(is_nonblock(fds[0]));
	cr_assert_eq(fd_set_nonblock(fds[0], false), 0);
	cr_assert_not(is_nonblock(fds[0]));
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	cr_assert_eq(fd_set_cloexec(FD_NONE, true), -EBADF);
	cr_assert_eq(fd_set_nonblock(FD_NONE, true), -EBADF);
}

Test(fd, close_from_spares_what_is_lower)
{
	int low = fcntl(STDERR_FILENO, F_DUPFD, 800);
	int high = fcntl(STDERR_FILENO, F_DUPFD, 900);
	int highest = fcntl(STDERR_FILENO, F_DUPFD, 950);
	fd_close_from(900);
	cr_assert(is_open(low));
	cr_assert_not(is_open(high));
	cr_assert_not(is_open(highest));
	fd_close_from(900);
	fd_close(&low);
}

/* As on Linux before 5.9, and in containers whose seccomp filter is older than the call. */
static bool forbid_close_range(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { ARRAY_LEN(program), program };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

Test(fd, close_from_works_on_kernels_without_close_range)
{
	if (!forbid_close_range())
		cr_skip_test("no seccomp here");
	int low = fcntl(STDERR_FILENO, F_DUPFD, 500);
	for (int fd = 600; fd < 900; fd++)
		cr_assert_eq(fcntl(STDERR_FILENO, F_DUPFD, fd), fd);
	fd_close_from(600);
	cr_assert(is_open(low));
	for (int fd = 600; fd < 1024; fd++)
		cr_assert_not(is_open(fd), "%d", fd);
	fd_close(&low);
}

Test(fd, a_memfd_is_zeroed_and_nobody_can_resize_it)
{
	int fd = fd_memfd("test", 10000);
	struct stat info;
	cr_assert_geq(fd, 0);
	cr_assert(is_cloexec(fd));
	cr_assert_eq(fstat(fd, &info), 0);
	cr_assert_eq(info.st_size, 10000);
	char bytes[10000];
	cr_assert_eq(pread(fd, bytes, sizeof bytes, 0), 10000);
	for (size_t i = 0; i < sizeof bytes; i++)
		cr_assert_eq(bytes[i], 0);
	cr_assert_eq(ftruncate(fd, 0), -1, "whoever maps it would die of SIGBUS");
	cr_assert_eq(ftruncate(fd, 20000), -1);
	cr_assert_eq(pwrite(fd, "x", 1, 9999), 1);
	fd_close(&fd);
}

static char *temp_file(const char *text, size_t len)
{
	char *path = xstrdup("/tmp/gunwale-test-XXXXXX");
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, text, len), 0);
	fd_close(&fd);
	return path;
}

Test(fd, reads_small_files_whole)
{
	char *path = temp_file("one\0two", 7);
	char *text = NULL;
	size_t len = 0;
	cr_assert_eq(fd_read_file(path, 7, &text, &len), 0);
	cr_assert_eq(len, 7);
	cr_assert_eq(memcmp(text, "one\0two", 8), 0, "terminated as well");
	free(text);
	cr_assert_eq(fd_read_file(path, 6, &text, &len), -EFBIG);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(fd_read_file(path, 6, &text, &len), -ENOENT);
	free(path);
	cr_assert_eq(fd_read_file("/tmp", 6, &text, NULL), -EISDIR);
}

Test(fd, reads_files_that_tell_no_size)
{
	char *text = NULL;
	cr_assert_eq(fd_read_file("/proc/self/status", 1 << 20, &text, NULL), 0);
	cr_assert_not_null(strstr(text, "VmRSS"));
	free(text);
	cr_assert_eq(fd_read_file("/dev/zero", 100000, &text, NULL), -EFBIG, "an endless file ends");
}

Test(fd, a_pair_blocks_on_its_second_end_only)
{
	int fds[2];
	cr_assert_eq(fd_seqpacket_pair(fds), 0);
	cr_assert(is_nonblock(fds[0]));
	cr_assert_not(is_nonblock(fds[1]));
	cr_assert(is_cloexec(fds[0]));
	cr_assert(is_cloexec(fds[1]));
	char byte;
	cr_assert_eq(fd_receive(fds[0], &byte, 1, NULL, 0, NULL), -EAGAIN);
	fd_close(&fds[0]);
	cr_assert_eq(fd_receive(fds[1], &byte, 1, NULL, 0, NULL), 0, "end of file");
	cr_assert_eq(fd_send(fds[1], "x", 1, NULL, 0), -EPIPE, "and no SIGPIPE");
	fd_close(&fds[1]);
}

Test(fd, datagrams_keep_their_borders)
{
	int fds[2];
	char text[16];
	cr_assert_eq(fd_seqpacket_pair(fds), 0);
	cr_assert_eq(fd_send(fds[0], "one", 3, NULL, 0), 0);
	cr_assert_eq(fd_send(fds[0], "second", 6, NULL, 0), 0);
	cr_assert_eq(fd_receive(fds[1], text, sizeof text, NULL, 0, NULL), 3);
	cr_assert_eq(fd_receive(fds[1], text, 5, NULL, 0, NULL), -EMSGSIZE, "a cut datagram is no datagram");
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

Test(fd, passes_as_many_fds_as_promised)
{
	int fds[2], sent[FD_SEND_MAX], received[FD_SEND_MAX];
	size_t count = 0;
	char byte;
	cr_assert_eq(fd_seqpacket_pair(fds), 0);
	int memfd = fd_memfd("passed", 3);
	cr_assert_eq(pwrite(memfd, "abc", 3, 0), 3);
	for (size_t i = 0; i < FD_SEND_MAX; i++)
		sent[i] = memfd;
	cr_assert_eq(fd_send(fds[0], "x", 1, sent, FD_SEND_MAX), 0);
	cr_assert_eq(fd_receive(fds[1], &byte, 1, received, FD_SEND_MAX, &count), 1);
	cr_assert_eq(count, FD_SEND_MAX);
	for (size_t i = 0; i < count; i++) {
		char text[3];
		cr_assert(is_cloexec(received[i]));
		cr_assert_eq(pread(received[i], text, 3, 0), 3);
		cr_assert_eq(memcmp(text, "abc", 3), 0);
		fd_close(&received[i]);
	}
	fd_close(&memfd);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int number = fd;
	fd_close(&fd);
	return number;
}

Test(fd, more_fds_than_expected_are_closed)
{
	int fds[2], received[2];
	size_t count = 99;
	char byte;
	cr_assert_eq(fd_seqpacket_pair(fds), 0);
	int free_before = lowest_free();
	cr_assert_eq(fd_send(fds[0], "x", 1, (int[]){ 0, 1, 2 }, 3), 0);
	cr_assert_eq(fd_receive(fds[1], &byte, 1, received, 2, &count), -EMSGSIZE);
	cr_assert_eq(count, 0);
	cr_assert_eq(lowest_free(), free_before, "nothing leaks");
	cr_assert_eq(fd_send(fds[0], "long", 4, (int[]){ 0, 1 }, 2), 0);
	cr_assert_eq(fd_receive(fds[1], &byte, 1, received, 2, &count), -EMSGSIZE);
	cr_assert_eq(lowest_free(), free_before, "nor with cut bytes");
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

Test(fd, write_all_tells_why_it_stopped)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cr_assert_eq(fd_write_all(fd, "x", 1), -ENOSPC);
	cr_assert_eq(fd_write_all(fd, "x", 0), 0);
	fd_close(&fd);
	cr_assert_eq(fd_write_all(FD_NONE, "x", 1), -EBADF);
}

Test(fd, replacing_a_file_is_all_or_nothing)
{
	char folder[] = "/tmp/test-fd-XXXXXX";
	char path[64];
	char *text = NULL;
	size_t len = 0;

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	cr_assert_eq(fd_replace_file(path, "old", 3, false), 0);
	cr_assert_eq(fd_replace_file(path, "newer", 5, true), 0);
	cr_assert_eq(fd_read_file(path, 64, &text, &len), 0);
	cr_assert_str_eq(text, "newer");
	free(text);
	cr_assert_eq(unlink(path), 0);
	/* A folder in the way: the rename fails. */
	cr_assert_eq(mkdir(path, 0755), 0);
	cr_assert_eq(fd_replace_file(path, "x", 1, false), -EISDIR);
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(rmdir(folder), 0, "no temporary file is left");
	cr_assert_eq(fd_replace_file(path, "x", 1, false), -ENOENT);
}

Test(fd, tells_what_a_reader_has_not_taken)
{
	int pair[2];
	char bytes[5000] = "";

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(fd_queued_bytes(pair[0]), 0);
	cr_assert_eq(send(pair[0], bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
	cr_assert_geq(fd_queued_bytes(pair[0]), sizeof(bytes));
	cr_assert_eq(recv(pair[1], bytes, sizeof(bytes), MSG_WAITALL), (ssize_t)sizeof(bytes));
	cr_assert_eq(fd_queued_bytes(pair[0]), 0);
	cr_assert_eq(fd_queued_bytes(FD_NONE), 0);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

/* Of the kernel's table. */
static long table_size(void)
{
	char *text, *line;
	size_t len;
	long size;

	cr_assert_eq(fd_read_file("/proc/self/status", 65536, &text, &len), 0);
	line = strstr(text, "FDSize:");
	cr_assert_not_null(line);
	size = strtol(line + strlen("FDSize:"), NULL, 10);
	free(text);
	return size;
}

Test(fd, makes_room_for_many_and_leaves_none_open)
{
	const struct rlimit few = { 3000, 3000 };

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cr_assert_lt(table_size(), 1000);
	fd_make_room(STDERR_FILENO, 1000);
	cr_assert_geq(table_size(), 1000);
	fd_make_room(STDERR_FILENO, 1000000); /* as far as the limit goes */
	cr_assert_geq(table_size(), 3000);
	cr_assert_not(is_open(999));
	cr_assert_not(is_open(2999));
	fd_make_room(-1, 10); /* no harm */
}
