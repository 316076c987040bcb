/* SPDX-License-Identifier: MIT */
/*
 * test_peer.c - the master's end of a link, over real sockets and a real loop.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/fd.h"
#include "master/peer.h"

enum { MANY = 50 };

struct seen {
	struct peer *peer;
	int messages;
	int ends;
};

static void on_message(void *owner, struct message *message)
{
	struct seen *seen = owner;

	cr_assert_eq(message->id, MESSAGE_has_threads);
	cr_assert_eq(seen->ends, 0);
	seen->messages++;
}

static void on_end(void *owner, int error)
{
	struct seen *seen = owner;

	cr_assert_eq(error, 0);
	seen->ends++;
	peer_close(&seen->peer);
}

/* With something unread the kernel reports an error, not an end. */
static void check_last_words(bool leaves_unread)
{
	struct seen seen = { 0 };
	struct message message;
	struct link other;
	uv_loop_t loop;
	int ends[2];

	cr_assert_eq(fd_seqpacket_pair(ends), 0);
	cr_assert_eq(uv_loop_init(&loop), 0);
	seen.peer = peer_new(&loop, ends[0], FROM_TEMPLATE, on_message, on_end, &seen);
	cr_assert_not_null(seen.peer);
	link_init(&other, ends[1]);
	if (leaves_unread) {
		message_init(&message, MESSAGE_dismiss);
		cr_assert_eq(peer_send(seen.peer, &message), 0);
	}
	message_init(&message, MESSAGE_has_threads);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(link_send(&other, &message), 0);
	link_release(&other);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	cr_assert_eq(seen.messages, MANY);
	cr_assert_eq(seen.ends, 1);
	cr_assert_eq(uv_loop_close(&loop), 0);
}

Test(peer, hears_all_last_words_before_the_end)
{
	check_last_words(false);
}

Test(peer, hears_all_last_words_of_one_that_left_something_unread)
{
	check_last_words(true);
}
