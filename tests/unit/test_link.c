/* SPDX-License-Identifier: MIT */
/*
 * test_link.c - whole messages and fds from end to end, and what happens when one end does not listen.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#include "shared/link.h"

static struct link master; /* does not block */
static struct link peer;   /* blocks */

static void make_links(void)
{
	int fds[2];
	cr_assert_eq(fd_seqpacket_pair(fds), 0);
	link_init(&master, fds[0]);
	link_init(&peer, fds[1]);
}

static void release_links(void)
{
	link_release(&master);
	link_release(&peer);
}

TestSuite(link, .init = make_links, .fini = release_links);

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int number = fd;
	fd_close(&fd);
	return number;
}

static struct message fork_message(uint32_t serial)
{
	struct message message;
	message_init(&message, MESSAGE_fork_worker);
	message.fork_worker.serial = serial;
	return message;
}

Test(link, carries_messages_both_ways)
{
	struct message message = fork_message(42);
	cr_assert_eq(link_send(&master, &message), 0);
	cr_assert_eq(link_receive(&peer, TO_TEMPLATE, &message), 1);
	cr_assert_eq(message.id, MESSAGE_fork_worker);
	cr_assert_eq(message.fork_worker.serial, 42);
	message_release(&message);

	message_init(&message, MESSAGE_failed);
	message.failed.exit_code = 3;
	message.failed.text = (char[]){ "why\nand where" };
	cr_assert_eq(link_send(&peer, &message), 0);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 1);
	cr_assert_eq(message.failed.exit_code, 3);
	cr_assert_str_eq(message.failed.text, "why\nand where");
	message_release(&message);
}

Test(link, an_empty_link_says_so_at_once)
{
	struct message message;
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), -EAGAIN);
	cr_assert_not(link_wants_write(&master));
	cr_assert_eq(link_flush(&master), 0);
}

Test(link, fds_arrive_and_belong_to_the_message)
{
	struct message message = fork_message(1);
	int memfd = fd_memfd("passed", 4);
	int before = lowest_free();
	cr_assert_eq(pwrite(memfd, "data", 4, 0), 4);
	message.fds[0] = memfd;
	message.fd_count = 1;
	cr_assert_eq(link_send(&master, &message), 0);
	cr_assert_geq(fcntl(memfd, F_GETFD), 0, "only borrowed");
	cr_assert_eq(link_receive(&peer, TO_TEMPLATE, &message), 1);
	cr_assert_eq(message.fd_count, 1);
	char text[4];
	cr_assert_eq(pread(message.fds[0], text, 4, 0), 4);
	cr_assert_eq(memcmp(text, "data", 4), 0);
	message_release(&message);
	cr_assert_eq(lowest_free(), before);
	fd_close(&memfd);
}

Test(link, the_end_of_the_peer_is_seen_on_both_paths)
{
	struct message message = fork_message(1);
	link_release(&peer);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 0);
	message = fork_message(1);
	cr_assert_eq(link_send(&master, &message), -EPIPE);
}

Test(link, what_was_sent_before_the_end_is_still_received)
{
	struct message message;
	message_init(&message, MESSAGE_loaded);
	cr_assert_eq(link_send(&peer, &message), 0);
	link_release(&peer);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 1);
	cr_assert_eq(message.id, MESSAGE_loaded);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 0);
}

Test(link, a_peer_that_leaves_messages_unread_has_closed_all_the_same)
{
	struct message message = fork_message(1);
	cr_assert_eq(link_send(&master, &message), 0);
	link_release(&peer);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 0, "not ECONNRESET");
}

Test(link, the_last_words_of_a_peer_that_left_messages_unread_arrive)
{
	struct message message = fork_message(1);
	cr_assert_eq(link_send(&master, &message), 0);
	message_init(&message, MESSAGE_failed);
	message.failed.text = (char[]){ "why" };
	cr_assert_eq(link_send(&peer, &message), 0);
	link_release(&peer);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 1);
	cr_assert_str_eq(message.failed.text, "why");
	message_release(&message);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 0);
}

Test(link, rubbish_is_told_apart_and_its_fds_are_closed)
{
	struct message message;
	int before = lowest_free();
	cr_assert_eq(fd_send(peer.fd, "rubbish", 7, (int[]){ 0, 1 }, 2), 0);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), -EPROTO);
	cr_assert_eq(message.id, MESSAGE_none);
	cr_assert_eq(lowest_free(), before);
	message_init(&message, MESSAGE_ready);
	cr_assert_eq(link_send(&peer, &message), 0);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), -EPROTO, "a worker's word from a template");
}

Test(link, a_datagram_longer_than_any_message_is_rubbish)
{
	struct message message;
	static char bytes[MESSAGE_BYTES_MAX + 1];
	cr_assert_eq(fd_send(peer.fd, bytes, sizeof bytes, NULL, 0), 0);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), -EPROTO);
}

Test(link, the_largest_message_fits_the_socket)
{
	struct message message;
	char *text = xmalloc(MESSAGE_TEXT_MAX + 1);
	memset(text, 'x', MESSAGE_TEXT_MAX);
	text[MESSAGE_TEXT_MAX] = '\0';
	message_init(&message, MESSAGE_configured);
	message.configured.values = text;
	cr_assert_eq(link_send(&peer, &message), 0);
	cr_assert_eq(link_receive(&master, FROM_TEMPLATE, &message), 1);
	cr_assert_str_eq(message.configured.values, text);
	message_release(&message);
	free(text);
}

/* Sends until something had to be queued; returns how many were sent in all. */
static uint32_t fill(void)
{
	uint32_t sent = 0;
	while (!link_wants_write(&master)) {
		struct message message = fork_message(sent++);
		cr_assert_eq(link_send(&master, &message), 0);
		cr_assert_lt(sent, 100000);
	}
	return sent;
}

Test(link, what_the_kernel_does_not_take_waits_in_order)
{
	uint32_t sent = fill();
	for (int i = 0; i < 100; i++) {
		struct message message = fork_message(sent++);
		cr_assert_eq(link_send(&master, &message), 0);
	}
	cr_assert_eq(master.queued_count, 101);
	for (uint32_t wanted = 0; wanted < sent; wanted++) {
		struct message message;
		cr_assert_eq(link_receive(&peer, TO_TEMPLATE, &message), 1);
		cr_assert_eq(message.fork_worker.serial, wanted);
		message_release(&message);
		cr_assert_eq(link_flush(&master), 0);
	}
	cr_assert_not(link_wants_write(&master));
	cr_assert_eq(master.queued_count, 0);
}

Test(link, queued_fds_live_on_when_the_sender_closes_his)
{
	struct message message = fork_message(1);
	uint32_t sent = fill();
	int before = lowest_free();
	int memfd = fd_memfd("queued", 4);
	cr_assert_eq(pwrite(memfd, "data", 4, 0), 4);
	message.fds[0] = memfd;
	message.fd_count = 1;
	cr_assert_eq(link_send(&master, &message), 0);
	fd_close(&memfd);
	for (uint32_t i = 0; i <= sent; i++) {
		cr_assert_eq(link_receive(&peer, TO_TEMPLATE, &message), 1);
		cr_assert_eq(link_flush(&master), 0);
		if (i < sent)
			message_release(&message);
	}
	char text[4];
	cr_assert_eq(message.fd_count, 1);
	cr_assert_eq(pread(message.fds[0], text, 4, 0), 4);
	cr_assert_eq(memcmp(text, "data", 4), 0);
	message_release(&message);
	cr_assert_eq(lowest_free(), before, "the duplicate is closed as well");
}

Test(link, the_queue_has_an_end)
{
	struct message message = fork_message(0);
	(void)fill();
	while (master.queued_count < LINK_QUEUE_MAX)
		cr_assert_eq(link_send(&master, &message), 0);
	cr_assert_eq(link_send(&master, &message), -ENOBUFS);
	cr_assert_eq(master.queued_count, LINK_QUEUE_MAX);
}

Test(link, a_queue_for_a_peer_that_left_is_dropped)
{
	struct message message = fork_message(0);
	(void)fill();
	int before = lowest_free();
	int memfd = fd_memfd("queued", 4);
	message.fds[0] = memfd;
	message.fd_count = 1;
	cr_assert_eq(link_send(&master, &message), 0);
	fd_close(&memfd);
	link_release(&peer);
	cr_assert_eq(link_flush(&master), -EPIPE);
	link_release(&master);
	cr_assert_leq(lowest_free(), before);
	cr_assert_not(link_is_open(&master));
}

Test(link, zeroed_and_released_links_are_closed)
{
	struct link zeroed = { 0 };
	struct message message = fork_message(0);
	cr_assert_not(link_is_open(&zeroed));
	link_release(&zeroed);
	link_release(NULL);
	cr_assert_geq(fcntl(0, F_GETFD), 0, "fd 0 is nobody's link");
	cr_assert_not(link_wants_write(&zeroed));
	cr_assert_eq(link_send(&zeroed, &message), -EPIPE);
	cr_assert_eq(link_flush(&zeroed), -EPIPE);
	cr_assert_eq(link_receive(&zeroed, TO_TEMPLATE, &message), 0);
	link_release(&master);
	link_release(&master);
	cr_assert_not(link_is_open(&master));
}
