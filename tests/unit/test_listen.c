/* SPDX-License-Identifier: MIT */
/*
 * test_listen.c - addresses of `bind`, and the sockets they become. Loopback only, on ports that the kernel chooses.
 */
#include "base/base.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "shared/listen.h"

static const struct listen_options plain = { .backlog = 16, .uid = -1, .gid = -1 };

static struct listen_address parsed(const char *text)
{
	struct listen_address address;
	struct err err = ERR_NONE;
	cr_assert_eq(listen_parse(text, &address, &err), 0, "%s: %s", text, err.text);
	return address;
}

Test(listen, parses_every_form_of_bind)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		bool is_ipv6;
	} cases[] = {
		{ "127.0.0.1:8000", "127.0.0.1", 8000, false },
		{ "127.0.0.1", "127.0.0.1", 8000, false },
		{ "LocalHost:80", "localhost", 80, false },
		{ ":8000", "", 8000, false },
		{ ":0", "", 0, false },
		{ "", "0.0.0.0", 8000, false },
		{ "[::1]:80", "::1", 80, true },
		{ "[::1]", "::1", 8000, true },
		{ "[FE80::1]:65535", "fe80::1", 65535, true },
		{ "tcp://10.0.0.1:9", "10.0.0.1", 9, false },
		{ "tcp://[::]:9", "::", 9, true },
		{ "tcp://example.com", "example.com", 8000, false },
		{ "a: 12 ", "a", 12, false },
		{ "a:+12", "a", 12, false },
		{ "a:1:2", "a", 1, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct listen_address address = parsed(cases[i].text);
		cr_assert_eq(address.kind, LISTEN_TCP, "%s", cases[i].text);
		cr_assert_str_eq(address.host, cases[i].host, "%s", cases[i].text);
		cr_assert_eq(address.port, cases[i].port, "%s", cases[i].text);
		cr_assert_eq(address.is_ipv6, cases[i].is_ipv6, "%s", cases[i].text);
		listen_address_release(&address);
	}
}

Test(listen, parses_unix_paths_with_and_without_slashes)
{
	static const char *const cases[][2] = {
		{ "unix:/run/App.sock", "/run/App.sock" },
		{ "unix:///run/app.sock", "/run/app.sock" },
		{ "unix:app.sock", "app.sock" },
		{ "unix://app.sock", "app.sock" },
		{ "unix:a:b", "a:b" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct listen_address address = parsed(cases[i][0]);
		cr_assert_eq(address.kind, LISTEN_UNIX);
		cr_assert_str_eq(address.path, cases[i][1]);
		listen_address_release(&address);
	}
}

Test(listen, parses_file_descriptors)
{
	struct listen_address address = parsed("fd://7");
	cr_assert_eq(address.kind, LISTEN_FD);
	cr_assert_eq(address.fd, 7);
	listen_address_release(&address);
}

Test(listen, refuses_bad_addresses_in_gunicorns_words)
{
	static const char *const cases[][2] = {
		{ "127.0.0.1:x", "'x' is not a valid port number." },
		{ "::1", "'' is not a valid port number." },
		{ "host:", "'' is not a valid port number." },
		{ "host:-1", "'-1' is not a valid port number." },
		{ "host:65536", "'65536' is not a valid port number." },
		{ "host:99999999999999999999", "'99999999999999999999' is not a valid port number." },
		{ "[::1]:", "'' is not a valid port number." },
		{ "http://x:1", "'//x' is not a valid port number." },
		{ "fd://x", "'x' is not a valid file descriptor." },
		{ "fd://", "'' is not a valid file descriptor." },
		{ "fd://4294967296", "'4294967296' is not a valid file descriptor." },
		{ "unix:", "'unix:' names no path." },
		{ "unix://", "'unix://' names no path." },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct listen_address address;
		struct err err = ERR_NONE;
		cr_assert_eq(listen_parse(cases[i][0], &address, &err), -EINVAL, "%s", cases[i][0]);
		cr_assert_str_eq(err.text, cases[i][1]);
		cr_assert_null(address.host);
		cr_assert_null(address.path);
	}
}

static bool are_equal(const char *a, const char *b)
{
	struct listen_address first = parsed(a), second = parsed(b);
	bool is_equal = listen_address_equals(&first, &second);
	listen_address_release(&first);
	listen_address_release(&second);
	return is_equal;
}

Test(listen, equal_addresses_are_recognised_in_any_spelling)
{
	cr_assert(are_equal("127.0.0.1", "tcp://127.0.0.1:8000"));
	cr_assert(are_equal("LOCALHOST:1", "localhost:1"));
	cr_assert(are_equal("unix:/a", "unix:///a"));
	cr_assert(are_equal("fd://3", "fd://03"));
	cr_assert_not(are_equal("127.0.0.1:1", "127.0.0.1:2"));
	cr_assert_not(are_equal("127.0.0.1:1", "localhost:1"));
	cr_assert_not(are_equal("unix:/a", "unix:/b"));
	cr_assert_not(are_equal("fd://3", "fd://4"));
	cr_assert_not(are_equal("unix:a", "a"));
}

static void expect_repr(const char *text, const char *wanted)
{
	struct listen_address address = parsed(text);
	char *repr = listen_address_repr(&address);
	cr_assert_str_eq(repr, wanted);
	free(repr);
	listen_address_release(&address);
}

Test(listen, addresses_are_shown_as_python_shows_them)
{
	expect_repr("127.0.0.1:8000", "('127.0.0.1', 8000)");
	expect_repr(":80", "('', 80)");
	expect_repr("[::1]:80", "('::1', 80)");
	expect_repr("unix:/run/a", "/run/a");
	expect_repr("fd://5", "fd://5");
}

static int try_open(struct listener *listener, const char *text, const struct listen_options *options, struct err *err)
{
	struct listen_address address = parsed(text);
	int result = listen_open(listener, &address, options, err);
	cr_assert_null(address.host, "taken over");
	cr_assert_null(address.path, "taken over");
	return result;
}

static struct listener opened(const char *text)
{
	struct listener listener;
	struct err err = ERR_NONE;
	cr_assert_eq(try_open(&listener, text, &plain, &err), 0, "%s", err.text);
	return listener;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	return ntohs(at.sin_port);
}

static int option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof value;
	cr_assert_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

Test(listen, tcp_sockets_listen_with_gunicorns_options)
{
	struct listener listener = opened("127.0.0.1:0");
	cr_assert_eq(option_of(listener.fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	cr_assert_eq(option_of(listener.fd, SOL_SOCKET, SO_REUSEADDR), 1);
	cr_assert_eq(option_of(listener.fd, SOL_SOCKET, SO_REUSEPORT), 0);
	cr_assert_eq(option_of(listener.fd, IPPROTO_TCP, TCP_NODELAY), 1);
	cr_assert_neq(fcntl(listener.fd, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_neq(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC, 0);
	listen_close(&listener, true);
	cr_assert_eq(listener.fd, FD_NONE);
	listen_close(&listener, true);
}

Test(listen, the_name_tells_the_port_the_kernel_gave)
{
	struct listener listener = opened("127.0.0.1:0");
	char *wanted = xasprintf("http://127.0.0.1:%u", port_of(listener.fd));
	cr_assert_str_eq(listener.name, wanted);
	cr_assert_eq(listener.address.port, 0, "as configured, so that a reload finds it again");
	free(wanted);
	listen_close(&listener, true);
}

Test(listen, the_empty_host_is_every_address)
{
	struct listener listener = opened(":0");
	cr_assert_eq(strncmp(listener.name, "http://0.0.0.0:", 15), 0, "%s", listener.name);
	listen_close(&listener, true);
}

Test(listen, host_names_are_looked_up_as_ipv4)
{
	struct addrinfo hints = { .ai_family = AF_INET };
	struct addrinfo *found = NULL;

	if (getaddrinfo("localhost", NULL, &hints, &found) != 0)
		cr_skip_test("this machine knows no localhost");
	freeaddrinfo(found);

	struct listener listener = opened("localhost:0");
	cr_assert_eq(strncmp(listener.name, "http://127.0.0.1:", 17), 0, "%s", listener.name);
	listen_close(&listener, true);
}

Test(listen, ipv6_is_shown_in_brackets)
{
	struct listener listener;
	struct err err = ERR_NONE;
	int result = try_open(&listener, "[::1]:0", &plain, &err);
	if (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL)
		cr_skip_test("no IPv6 here");
	cr_assert_eq(result, 0, "%s", err.text);
	cr_assert_eq(strncmp(listener.name, "http://[::1]:", 13), 0, "%s", listener.name);
	listen_close(&listener, true);
}

Test(listen, a_taken_port_is_told_in_gunicorns_words)
{
	struct listener first = opened("127.0.0.1:0"), second;
	struct err err = ERR_NONE;
	unsigned port = port_of(first.fd);
	char *text = xasprintf("127.0.0.1:%u", port);
	char *wanted = xasprintf("connection to ('127.0.0.1', %u) failed: [Errno 98] Address already in use", port);
	cr_assert_eq(try_open(&second, text, &plain, &err), -EADDRINUSE);
	cr_assert_str_eq(err.text, wanted);
	cr_assert_eq(second.fd, FD_NONE);
	listen_close(&second, true);
	free(text);
	free(wanted);
	listen_close(&first, true);
}

Test(listen, an_address_of_another_machine_is_told_apart)
{
	struct listener listener;
	struct err err = ERR_NONE;
	cr_assert_eq(try_open(&listener, "192.0.2.1:0", &plain, &err), -EADDRNOTAVAIL);
	cr_assert_str_eq(err.text, "connection to ('192.0.2.1', 0) failed: [Errno 99] Cannot assign requested address");
}

Test(listen, reuse_port_lets_two_share_a_port)
{
	struct listen_options options = plain;
	options.reuse_port = true;
	struct listener first, second;
	struct err err = ERR_NONE;
	cr_assert_eq(try_open(&first, "127.0.0.1:0", &options, &err), 0, "%s", err.text);
	char *text = xasprintf("127.0.0.1:%u", port_of(first.fd));
	cr_assert_eq(try_open(&second, text, &options, &err), 0, "%s", err.text);
	free(text);
	listen_close(&first, true);
	listen_close(&second, true);
}

static char dir[] = "/tmp/gunwale-test-XXXXXX";
static char *path, *bind_text;

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	path = xasprintf("%s/sock", dir);
	bind_text = xasprintf("unix:%s", path);
}

static void remove_dir(void)
{
	(void)unlink(path);
	(void)rmdir(dir);
	free(path);
	free(bind_text);
}

TestSuite(listen_unix, .init = make_dir, .fini = remove_dir);

static int connect_to(const char *where)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", where);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		fd_close(&fd);
	return fd;
}

Test(listen_unix, binds_under_the_umask_option)
{
	struct stat info;
	(void)umask(077);
	for (int mask = 0; mask <= 0117; mask += 0117) {
		struct listen_options options = plain;
		struct listener listener;
		options.umask = mask;
		cr_assert_eq(try_open(&listener, bind_text, &options, NULL), 0);
		cr_assert_eq(lstat(path, &info), 0);
		cr_assert(S_ISSOCK(info.st_mode));
		cr_assert_eq(info.st_mode & 0777, (mode_t)(0777 & ~mask));
		cr_assert_str_eq(listener.name, bind_text);
		int client = connect_to(path);
		cr_assert_geq(client, 0);
		fd_close(&client);
		listen_close(&listener, true);
		cr_assert_eq(access(path, F_OK), -1, "gone after a clean stop");
	}
	cr_assert_eq(umask(0), 077, "the process's own umask is as before");
}

Test(listen_unix, stays_on_disk_when_the_caller_wants_that)
{
	struct listener listener = opened(bind_text);
	listen_close(&listener, false);
	cr_assert_eq(access(path, F_OK), 0);
}

Test(listen_unix, replaces_the_socket_of_a_dead_server)
{
	struct listener first = opened(bind_text);
	listen_close(&first, false);
	cr_assert_eq(connect_to(path), FD_NONE);
	struct listener second = opened(bind_text);
	int client = connect_to(path);
	cr_assert_geq(client, 0);
	fd_close(&client);
	listen_close(&second, true);
}

Test(listen_unix, does_not_unlink_what_another_server_put_there)
{
	struct listener first = opened(bind_text);
	struct listener second = opened(bind_text);
	listen_close(&first, true);
	cr_assert_eq(access(path, F_OK), 0);
	int client = connect_to(path);
	cr_assert_geq(client, 0);
	fd_close(&client);
	listen_close(&second, true);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(listen_unix, refuses_files_that_are_no_sockets)
{
	struct listener listener;
	struct err err = ERR_NONE;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&fd);
	char *wanted = xasprintf("'%s' is not a socket", path);
	cr_assert_eq(try_open(&listener, bind_text, &plain, &err), -ENOTSOCK);
	cr_assert_str_eq(err.text, wanted);
	cr_assert_eq(access(path, F_OK), 0, "and leaves them alone");
	free(wanted);
}

Test(listen_unix, a_missing_folder_is_told)
{
	struct listener listener;
	struct err err = ERR_NONE;
	cr_assert_eq(try_open(&listener, "unix:/nowhere/x.sock", &plain, &err), -ENOENT);
	cr_assert_str_eq(err.text, "connection to /nowhere/x.sock failed: [Errno 2] No such file or directory");
}

Test(listen_unix, a_path_that_is_too_long_is_told)
{
	struct listener listener;
	struct err err = ERR_NONE;
	char text[200] = "unix:/tmp/";
	memset(text + 10, 'x', sizeof text - 11);
	cr_assert_eq(try_open(&listener, text, &plain, &err), -ENAMETOOLONG);
	cr_assert_not_null(strstr(err.text, "at most 107 bytes"), "%s", err.text);
}

Test(listen_unix, is_given_to_user_and_group)
{
	struct listen_options options = plain;
	struct listener listener;
	struct stat info;
	if (geteuid() != 0)
		cr_skip_test("needs root");
	options.uid = 12345;
	options.gid = 23456;
	cr_assert_eq(try_open(&listener, bind_text, &options, NULL), 0);
	cr_assert_eq(stat(path, &info), 0);
	cr_assert_eq(info.st_uid, 12345);
	cr_assert_eq(info.st_gid, 23456);
	listen_close(&listener, true);
}

Test(listen_fd, an_inherited_socket_is_used_as_it_is)
{
	struct listener original = opened("127.0.0.1:0");
	int inherited = fcntl(original.fd, F_DUPFD, 3);
	cr_assert_eq(fd_set_nonblock(inherited, false), 0);
	char *text = xasprintf("fd://%d", inherited);
	struct listener listener = opened(text);
	cr_assert_eq(listener.fd, inherited);
	cr_assert_str_eq(listener.name, original.name);
	cr_assert_not(listener.must_unlink);
	cr_assert_neq(fcntl(listener.fd, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_neq(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC, 0);
	listen_close(&listener, true);
	listen_close(&original, true);
	free(text);
}

Test(listen_fd, an_inherited_unix_socket_is_named_and_never_unlinked, .init = make_dir, .fini = remove_dir)
{
	struct listener original = opened(bind_text);
	char *text = xasprintf("fd://%d", original.fd);
	struct listener listener = opened(text);
	cr_assert_str_eq(listener.name, bind_text);
	listen_close(&listener, true);
	cr_assert_eq(access(path, F_OK), 0);
	original.fd = FD_NONE;
	listen_close(&original, true);
	free(text);
}

Test(listen_fd, what_is_no_stream_socket_is_refused_and_left_open)
{
	struct listener listener;
	struct err err = ERR_NONE;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *text = xasprintf("fd://%d", fd);
	cr_assert_eq(try_open(&listener, text, &plain, &err), -ENOTSOCK);
	cr_assert_not_null(strstr(err.text, "[Errno 88]"), "%s", err.text);
	cr_assert_geq(fcntl(fd, F_GETFD), 0);
	fd_close(&fd);
	free(text);
	err_clear(&err);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	text = xasprintf("fd://%d", fd);
	cr_assert_eq(try_open(&listener, text, &plain, &err), -EPROTOTYPE);
	fd_close(&fd);
	free(text);
	err_clear(&err);
	cr_assert_eq(try_open(&listener, "fd://9999", &plain, &err), -EBADF);
}

Test(listen, the_queue_of_waiting_connections_is_counted)
{
	struct listener listener = opened("127.0.0.1:0");
	uint32_t waiting = 99, limit = 0;
	cr_assert_eq(listen_queue(&listener, &waiting, &limit), 0);
	cr_assert_eq(waiting, 0);
	cr_assert_eq(limit, 16);
	int clients[3];
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	cr_assert_eq(getsockname(listener.fd, (struct sockaddr *)&at, &len), 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_eq(connect(clients[i], (struct sockaddr *)&at, len), 0);
	}
	cr_assert_eq(listen_queue(&listener, &waiting, &limit), 0);
	cr_assert_eq(waiting, 3);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		fd_close(&clients[i]);
	listen_close(&listener, true);
}

Test(listen_unix, tells_no_queue)
{
	struct listener listener = opened(bind_text);
	uint32_t waiting, limit;
	cr_assert_eq(listen_queue(&listener, &waiting, &limit), -EOPNOTSUPP);
	listen_close(&listener, true);
}

Test(listen, zeroed_listeners_and_addresses_are_harmless)
{
	struct listener listener = { 0 };
	listen_close(&listener, true);
	listen_close(NULL, true);
	listen_address_release(NULL);
	cr_assert_geq(fcntl(0, F_GETFD), 0, "fd 0 is nobody's listener");
}
