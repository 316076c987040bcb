/* SPDX-License-Identifier: MIT */
/*
 * test_outlet.c - where log lines leave the process. Nothing here may block, whatever the other end does.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/outlet.h"

/* Puts `fd` in place of stdout, so that "-" means it. */
static void become_stdout(int fd)
{
	cr_assert_geq(dup2(fd, STDOUT_FILENO), 0);
}

static char *temp_path(void)
{
	static char dir[] = "/tmp/gunwale-test-XXXXXX";
	cr_assert_not_null(mkdtemp(dir));
	return xasprintf("%s/log", dir);
}

static void remove_temp(char *path)
{
	(void)unlink(path);
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
	free(path);
}

static char *contents(const char *path)
{
	char *text = NULL;
	cr_assert_eq(fd_read_file(path, 1 << 20, &text, NULL), 0);
	return text;
}

Test(outlet, appends_to_files)
{
	struct outlet outlet = OUTLET_CLOSED;
	struct err err = ERR_NONE;
	char *path = temp_path();
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(outlet_open(&outlet, path, 1, &err), 0, "%s", err.text);
		cr_assert(outlet_write(&outlet, "line\n", 5));
		cr_assert((fcntl(outlet.fd, F_GETFD) & FD_CLOEXEC) != 0);
		outlet_close(&outlet);
	}
	char *text = contents(path);
	cr_assert_str_eq(text, "line\nline\n");
	free(text);
	remove_temp(path);
}

Test(outlet, files_are_created_under_the_umask)
{
	struct outlet outlet = OUTLET_CLOSED;
	struct stat info;
	char *path = temp_path();
	(void)umask(027);
	cr_assert_eq(outlet_open(&outlet, path, 1, NULL), 0);
	cr_assert_eq(stat(path, &info), 0);
	cr_assert_eq(info.st_mode & 0777, 0640);
	outlet_close(&outlet);
	remove_temp(path);
}

Test(outlet, reopening_follows_the_name_and_keeps_the_number)
{
	struct outlet outlet = OUTLET_CLOSED;
	char *path = temp_path();
	char *moved = xasprintf("%s.1", path);
	cr_assert_eq(outlet_open(&outlet, path, 1, NULL), 0);
	int number = outlet.fd;
	cr_assert(outlet_write(&outlet, "old\n", 4));
	cr_assert_eq(rename(path, moved), 0);
	cr_assert(outlet_write(&outlet, "late\n", 5));
	cr_assert_eq(outlet_reopen(&outlet, NULL), 0);
	cr_assert_eq(outlet.fd, number, "a thread that writes meanwhile must not meet a closed number");
	cr_assert((fcntl(outlet.fd, F_GETFD) & FD_CLOEXEC) != 0);
	cr_assert(outlet_write(&outlet, "new\n", 4));
	char *text = contents(moved);
	cr_assert_str_eq(text, "old\nlate\n");
	free(text);
	text = contents(path);
	cr_assert_str_eq(text, "new\n");
	free(text);
	outlet_close(&outlet);
	(void)unlink(moved);
	free(moved);
	remove_temp(path);
}

Test(outlet, a_failed_open_leaves_the_old_one_in_place)
{
	struct outlet outlet = OUTLET_CLOSED;
	struct err err = ERR_NONE;
	char *path = temp_path();
	cr_assert_eq(outlet_open(&outlet, path, 1, NULL), 0);
	cr_assert_eq(outlet_open(&outlet, "/nowhere/at/all", 1, &err), -ENOENT);
	cr_assert_str_eq(err.text, "'/nowhere/at/all' isn't writable: No such file or directory");
	cr_assert_str_eq(outlet.path, path);
	cr_assert(outlet_write(&outlet, "still\n", 6));
	char *text = contents(path);
	cr_assert_str_eq(text, "still\n");
	free(text);
	outlet_close(&outlet);
	remove_temp(path);
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int number = fd;
	fd_close(&fd);
	return number;
}

Test(outlet, moves_between_files_and_standard_fds_without_leaks)
{
	struct outlet outlet = OUTLET_CLOSED;
	char *path = temp_path();
	int number = lowest_free();
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(outlet_open(&outlet, path, 1, NULL), 0);
		cr_assert_eq(outlet_open(&outlet, "-", 1, NULL), 0);
		cr_assert_eq(outlet.fd, STDOUT_FILENO);
		cr_assert_eq(outlet_reopen(&outlet, NULL), 0);
	}
	outlet_close(&outlet);
	outlet_close(&outlet);
	cr_assert_eq(lowest_free(), number);
	cr_assert_geq(fcntl(STDOUT_FILENO, F_GETFD), 0, "standard fds stay open");
	remove_temp(path);
}

Test(outlet, a_full_pipe_drops_whole_lines_and_counts_them)
{
	struct outlet outlet = OUTLET_CLOSED;
	int fds[2];
	char line[100];
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	cr_assert_eq(pipe(fds), 0);
	become_stdout(fds[1]);
	cr_assert_eq(outlet_open(&outlet, "-", STDOUT_FILENO, NULL), 0);
	size_t sent = 0;
	while (outlet_write(&outlet, line, sizeof line))
		sent++;
	cr_assert_gt(sent, 100);
	for (int i = 0; i < 9; i++)
		cr_assert_not(outlet_write(&outlet, line, sizeof line));
	cr_assert_eq(outlet_dropped_total(&outlet), 10);
	cr_assert_eq(outlet_take_dropped(&outlet), 10);
	cr_assert_eq(outlet_take_dropped(&outlet), 0);

	char got[100];
	for (size_t i = 0; i < sent; i++) {
		cr_assert_eq(read(fds[0], got, sizeof got), (ssize_t)sizeof got);
		cr_assert_eq(memcmp(got, line, sizeof line), 0);
	}
	cr_assert(outlet_write(&outlet, "again\n", 6));
	cr_assert_eq(read(fds[0], got, sizeof got), 6, "nothing was sent in part");
	outlet_close(&outlet);
}

Test(outlet, does_not_make_the_shared_pipe_non_blocking)
{
	struct outlet outlet = OUTLET_CLOSED;
	int fds[2];
	cr_assert_eq(pipe(fds), 0);
	become_stdout(fds[1]);
	cr_assert_eq(outlet_open(&outlet, "-", STDOUT_FILENO, NULL), 0);
	cr_assert(outlet_write(&outlet, "x\n", 2));
	cr_assert_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
	/* Between poll() and write() another process may take the last room; so poll() alone is the way of last resort. */
	cr_assert_neq(fcntl(outlet.own_file, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_neq(fcntl(outlet.own_file, F_GETFD) & FD_CLOEXEC, 0);
	outlet_close(&outlet);
}

/* A line longer than the pipe has room for goes out in part; what follows must not be glued to it. */
Test(outlet, a_cut_line_ends_before_the_next_begins)
{
	struct outlet outlet = OUTLET_CLOSED;
	int fds[2];
	size_t size = 1 << 20;
	char *big = xmalloc(size);
	memset(big, 'x', size);
	cr_assert_eq(pipe(fds), 0);
	become_stdout(fds[1]);
	cr_assert_eq(outlet_open(&outlet, "-", STDOUT_FILENO, NULL), 0);
	cr_assert_not(outlet_write(&outlet, big, size));
	cr_assert_eq(outlet_dropped_total(&outlet), 1);
	cr_assert_eq(fd_set_nonblock(fds[0], true), 0);
	while (read(fds[0], big, size) > 0)
		;
	cr_assert(outlet_write(&outlet, "next\n", 5));
	cr_assert_eq(read(fds[0], big, size), 6);
	cr_assert_eq(memcmp(big, "\nnext\n", 6), 0);
	cr_assert(outlet_write(&outlet, "third\n", 6));
	cr_assert_eq(read(fds[0], big, size), 6);
	cr_assert_eq(memcmp(big, "third\n", 6), 0);
	free(big);
	outlet_close(&outlet);
}

Test(outlet, a_full_socket_drops_too)
{
	struct outlet outlet = OUTLET_CLOSED;
	int fds[2];
	char line[1000];
	memset(line, 'x', sizeof line);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	become_stdout(fds[1]);
	cr_assert_eq(outlet_open(&outlet, "-", STDOUT_FILENO, NULL), 0);
	while (outlet_write(&outlet, line, sizeof line))
		;
	cr_assert_eq(outlet_dropped_total(&outlet), 1);
	cr_assert_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	outlet_close(&outlet);
}

Test(outlet, a_reader_that_left_costs_lines_and_nothing_else)
{
	struct outlet outlet = OUTLET_CLOSED;
	int fds[2];
	(void)signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(fds), 0);
	become_stdout(fds[1]);
	cr_assert_eq(outlet_open(&outlet, "-", STDOUT_FILENO, NULL), 0);
	fd_close(&fds[0]);
	errno = ENOTTY;
	cr_assert_not(outlet_write(&outlet, "x\n", 2));
	cr_assert_eq(errno, ENOTTY, "keeps errno");
	cr_assert_eq(outlet_dropped_total(&outlet), 1);
	outlet_close(&outlet);
}

/* As a daemon does: another file under the number that was opened. */
Test(outlet, follows_a_number_that_was_given_to_another_file)
{
	struct outlet outlet = OUTLET_CLOSED;
	int first[2], second[2];
	char got[16];
	cr_assert_eq(pipe(first), 0);
	cr_assert_eq(pipe(second), 0);
	become_stdout(first[1]);
	cr_assert_eq(outlet_open(&outlet, "-", STDOUT_FILENO, NULL), 0);
	become_stdout(second[1]);
	cr_assert(outlet_write(&outlet, "x\n", 2));
	cr_assert_eq(fd_set_nonblock(first[0], true), 0);
	cr_assert_eq(fd_set_nonblock(second[0], true), 0);
	cr_assert_eq(read(first[0], got, sizeof got), -1);
	cr_assert_eq(read(second[0], got, sizeof got), 2);
	outlet_close(&outlet);
}

Test(outlet, a_named_pipe_without_reader_is_refused_at_once)
{
	struct outlet outlet = OUTLET_CLOSED;
	struct err err = ERR_NONE;
	char *path = temp_path();
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(outlet_open(&outlet, path, 1, &err), -ENXIO);
	cr_assert(err_is_set(&err));
	outlet_close(&outlet);
	remove_temp(path);
}

Test(outlet, a_full_disk_drops_lines)
{
	struct outlet outlet = OUTLET_CLOSED;
	cr_assert_eq(outlet_open(&outlet, "/dev/full", 1, NULL), 0);
	cr_assert_not(outlet_write(&outlet, "x\n", 2));
	cr_assert_eq(outlet_dropped_total(&outlet), 1);
	outlet_close(&outlet);
}

Test(outlet, a_closed_one_drops)
{
	struct outlet outlet = OUTLET_CLOSED;
	cr_assert_not(outlet_write(&outlet, "x\n", 2));
}
