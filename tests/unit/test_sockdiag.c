/* SPDX-License-Identifier: MIT */
/*
 * test_sockdiag.c - memory of TCP sockets: of real ones on the loopback, and of forged files.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"

#include "master/sockdiag.h"
#include "unit_tree.h"

#define UNKNOWN UINT64_MAX

enum { UNREAD_BYTES = 64 * 1024 };

/* A connection over the loopback, with bytes that nobody reads. */
struct connection {
	int client;
	int server;
};

static struct connection connect_unread(int family)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .any = { .sa_family = (sa_family_t)family } };
	socklen_t len = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
	struct connection connection;
	char bytes[UNREAD_BYTES] = { 0 };
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.v6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	if (listener < 0 || bind(listener, &address.any, len) != 0)
		cr_skip_test("no loopback of that family here");
	cr_assert_eq(listen(listener, 4), 0);
	cr_assert_eq(getsockname(listener, &address.any, &len), 0);
	connection.client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(connection.client, &address.any, len), 0);
	connection.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(connection.server, 0);
	cr_assert_eq(send(connection.client, bytes, sizeof(bytes), 0), UNREAD_BYTES);
	fd_close(&listener);
	return connection;
}

static void close_connection(struct connection *connection)
{
	fd_close(&connection->client);
	fd_close(&connection->server);
}

static struct sockdiag_reading look(const char *root, bool has_netlink)
{
	struct sockdiag *sockdiag = sockdiag_new(root, has_netlink);
	struct sockdiag_reading reading;

	sockdiag_read(sockdiag, &reading);
	sockdiag_free(sockdiag);
	return reading;
}

/* Bytes in flight on the loopback may wait on either side, so that only the sum is sure. */
static void assert_sees(const struct sockdiag_reading *reading, uint64_t bytes)
{
	cr_assert_neq(reading->sockets, UNKNOWN);
	cr_assert_geq(reading->sockets, 2);
	cr_assert_geq(reading->receive_bytes + reading->send_bytes, bytes);
	cr_assert_geq(reading->memory_bytes, reading->receive_bytes + reading->send_bytes);
	cr_assert_lt(reading->memory_bytes, UINT64_C(1) << 40, "a negative number was taken for a large one");
}

Test(sockdiag, netlink_sees_unread_bytes)
{
	struct connection connection = connect_unread(AF_INET);
	struct sockdiag_reading reading = look("", true);

	if (reading.method != SOCKDIAG_NETLINK)
		cr_skip_test("no NETLINK_SOCK_DIAG here");
	/* With overhead: truesize is more than the bytes. */
	assert_sees(&reading, UNREAD_BYTES);
	close_connection(&connection);
}

Test(sockdiag, netlink_sees_ipv6)
{
	struct connection connection = connect_unread(AF_INET6);
	struct sockdiag_reading reading = look("", true);

	if (reading.method != SOCKDIAG_NETLINK)
		cr_skip_test("no NETLINK_SOCK_DIAG here");
	assert_sees(&reading, UNREAD_BYTES);
	close_connection(&connection);
}

Test(sockdiag, without_netlink_the_files_see_them_too)
{
	struct connection connection = connect_unread(AF_INET);
	struct sockdiag_reading reading = look("", false);

	if (reading.method != SOCKDIAG_PROC)
		cr_skip_test("no /proc/net/tcp here");
	assert_sees(&reading, UNREAD_BYTES);
	cr_assert_eq(reading.memory_bytes, reading.receive_bytes + reading.send_bytes);
	close_connection(&connection);
}

Test(sockdiag, the_same_reader_reads_again)
{
	static const bool has_netlink[] = { true, false };
	struct connection connections[300];

	for (size_t i = 0; i < ARRAY_LEN(has_netlink); i++) {
		struct sockdiag *sockdiag = sockdiag_new("", has_netlink[i]);
		struct sockdiag_reading reading;

		/* More than one message, more than one buffer. */
		for (size_t k = 0; k < ARRAY_LEN(connections); k++)
			connections[k] = connect_unread(AF_INET);
		for (int k = 0; k < 3; k++) {
			sockdiag_read(sockdiag, &reading);
			cr_assert_geq(reading.sockets, 2 * ARRAY_LEN(connections));
			assert_sees(&reading, UNREAD_BYTES * ARRAY_LEN(connections));
		}
		for (size_t k = 0; k < ARRAY_LEN(connections); k++)
			close_connection(&connections[k]);
		sockdiag_read(sockdiag, &reading);
		cr_assert_neq(reading.sockets, UNKNOWN);
		sockdiag_free(sockdiag);
	}
}

/* ---- forged files ---------------------------------------------------------------------------------------------------- */

#define HEADING "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define LINE(state, tx, rx, timer)                                                                                            \
	"   0: 0100007F:1F90 0100007F:8C2E " state " " tx ":" rx " " timer ":00000000 00000000     0        0 7 1 0 20 4 30 10 -1\n"

static struct tree tree;

static void make_tree(void)
{
	tree_make(&tree);
}

static void remove_tree(void)
{
	tree_remove(&tree);
}

TestSuite(sockdiag_files, .init = make_tree, .fini = remove_tree);

Test(sockdiag_files, queues_of_connected_and_closing_sockets_are_summed)
{
	struct sockdiag_reading reading;

	tree_put(&tree, "/proc/net/tcp",
	         HEADING LINE("01", "00000010", "00000001", "00") LINE("04", "00000020", "00000002", "01")
	                 LINE("05", "00000000", "00000004", "02") LINE("08", "00000040", "00000008", "00")
	                 LINE("09", "00000080", "00000000", "01") LINE("0B", "00000100", "00000000", "01"));
	tree_put(&tree, "/proc/net/tcp6",
	         HEADING "   9: 00000000000000000000000001000000:1F90 00000000000000000000000001000000:8C2E 01 FFFFFFFF:00001000 "
	                 "00:00000000 00000000 0 0 7\n");
	reading = look(tree.root, false);
	cr_assert_eq(reading.method, SOCKDIAG_PROC);
	cr_assert_eq(reading.sockets, 7);
	cr_assert_eq(reading.send_bytes, 0x1f0 + UINT64_C(0xffffffff));
	cr_assert_eq(reading.receive_bytes, 0x100f);
	cr_assert_eq(reading.memory_bytes, reading.send_bytes + reading.receive_bytes);
}

Test(sockdiag_files, listening_and_buried_sockets_do_not_count)
{
	struct sockdiag_reading reading;

	tree_put(&tree, "/proc/net/tcp",
	         HEADING LINE("0A", "00000000", "00000080", "00") LINE("06", "00000000", "00000000", "03")
	                 LINE("05", "00000000", "00000000", "03") LINE("07", "00000001", "00000001", "00")
	                 LINE("02", "00000001", "00000000", "01") LINE("03", "00000000", "00000000", "01")
	                 LINE("FF", "00000001", "00000001", "00"));
	reading = look(tree.root, false);
	cr_assert_eq(reading.method, SOCKDIAG_PROC);
	cr_assert_eq(reading.sockets, 0);
	cr_assert_eq(reading.memory_bytes, 0);
}

Test(sockdiag_files, garbage_is_passed_over)
{
	struct sockdiag_reading reading;

	tree_put(&tree, "/proc/net/tcp",
	         "\n\n   \nx\n 0: a b\n 0: a b 01\n 0: a b 01 1:1\n" LINE("01", "0000001g", "00000001", "00")
	         LINE("01", "000000001", "00000001", "00") LINE("01", "00000010", "00000001", "00") "   1: a b 01 1:1 00:0");
	reading = look(tree.root, false);
	cr_assert_eq(reading.sockets, 1, "the last line has no end");
	cr_assert_eq(reading.memory_bytes, 0x11);
}

Test(sockdiag_files, lines_longer_than_any_buffer_and_lines_across_buffers)
{
	struct sockdiag_reading reading;
	struct {
		char *text;
		size_t len;
	} file = { NULL, 0 };
	FILE *stream = open_memstream(&file.text, &file.len);

	cr_assert_not_null(stream);
	(void)fprintf(stream, "%0100000d\n", 1);
	for (int i = 0; i < 1000; i++)
		(void)fputs(LINE("01", "00000010", "00000001", "00"), stream);
	(void)fclose(stream);
	tree_put(&tree, "/proc/net/tcp", file.text);
	free(file.text);
	reading = look(tree.root, false);
	cr_assert_eq(reading.sockets, 1000);
	cr_assert_eq(reading.receive_bytes, 1000);
	cr_assert_eq(reading.send_bytes, 16000);
}

Test(sockdiag_files, sockstat_is_the_last_resort)
{
	struct sockdiag_reading reading;

	tree_put(&tree, "/proc/net/sockstat",
	         "sockets: used 12\nTCP: inuse 5 orphan 0 tw 526 alloc 7 mem 100\nUDP: inuse 0 mem 3\n");
	reading = look(tree.root, false);
	cr_assert_eq(reading.method, SOCKDIAG_SOCKSTAT);
	cr_assert_eq(reading.memory_bytes, 100 * (uint64_t)sysconf(_SC_PAGESIZE));
	cr_assert_eq(reading.sockets, UNKNOWN);
	cr_assert_eq(reading.receive_bytes, UNKNOWN);
	cr_assert_eq(reading.send_bytes, UNKNOWN);
}

static void assert_nothing(void)
{
	struct sockdiag_reading reading = look(tree.root, false);

	cr_assert_eq(reading.method, SOCKDIAG_NONE);
	cr_assert_eq(reading.sockets, UNKNOWN);
	cr_assert_eq(reading.memory_bytes, UNKNOWN);
	cr_assert_eq(reading.receive_bytes, UNKNOWN);
	cr_assert_eq(reading.send_bytes, UNKNOWN);
}

Test(sockdiag_files, what_nobody_tells_is_unknown)
{
	assert_nothing();
	tree_put(&tree, "/proc/net/tcp", "");
	tree_put(&tree, "/proc/net/sockstat", "TCP: inuse 5 orphan 0 tw 526 alloc 7\n");
	assert_nothing();
	tree_put(&tree, "/proc/net/sockstat", "TCP: inuse 5 mem -3\n");
	assert_nothing();
	tree_put(&tree, "/proc/net/sockstat", "TCP: inuse 5 mem 18446744073709551615\n");
	assert_nothing();
	tree_put(&tree, "/proc/net/sockstat", "UDP: inuse 5 mem 3\n");
	assert_nothing();
	sockdiag_free(NULL);
}

Test(sockdiag_files, methods_have_names)
{
	cr_assert_str_eq(sockdiag_method_name(SOCKDIAG_NONE), "none");
	cr_assert_str_eq(sockdiag_method_name(SOCKDIAG_NETLINK), "sock_diag");
	cr_assert_str_eq(sockdiag_method_name(SOCKDIAG_PROC), "proc");
	cr_assert_str_eq(sockdiag_method_name(SOCKDIAG_SOCKSTAT), "sockstat");
}
