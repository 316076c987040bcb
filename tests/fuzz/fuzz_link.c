/* SPDX-License-Identifier: MIT */
/*
 * fuzz_link.c - packets of a peer that is not trusted, over a real socket, with file descriptors.
 *
 * Input: packets, each a byte with the number of fds, two with the length (big-endian), and the bytes. What arrives is a
 * message, which arrives again when it is sent on, or is told as rubbish; no file descriptor is left open.
 */
#include "base/base.h"
#include "fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "shared/link.h"

/* Among the lowest, where new ones go. */
static int count_open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 3 * FD_SEND_MAX; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* A message that was received can be sent on. */
static void check_sent_on(struct message *message, enum message_direction direction)
{
	struct link ends[2];
	struct message again;
	struct buf bytes = BUF_NONE, bytes_again = BUF_NONE;
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	link_init(&ends[0], pair[0]);
	link_init(&ends[1], pair[1]);
	CHECK(link_send(&ends[0], message) == 0 && !link_wants_write(&ends[0]));
	CHECK(link_receive(&ends[1], direction, &again) == 1);
	CHECK(again.id == message->id && again.fd_count == message->fd_count);
	CHECK(message_encode(message, &bytes) == 0 && message_encode(&again, &bytes_again) == 0);
	CHECK(span_equals(buf_span(&bytes), buf_span(&bytes_again)));
	buf_release(&bytes);
	buf_release(&bytes_again);
	message_release(&again);
	link_release(&ends[0]);
	link_release(&ends[1]);
}

static void receive_all(struct link *link, enum message_direction direction)
{
	struct message message;
	int result;

	while ((result = link_receive(link, direction, &message)) == 1 || result == -EPROTO) {
		if (result == 1) {
			check_sent_on(&message, direction);
			message_release(&message);
		}
	}
	CHECK(result == -EAGAIN || result == 0);
}

static void play(const uint8_t *data, size_t size, enum message_direction direction)
{
	struct link link;
	int pair[2], fds[FD_SEND_MAX];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = 0;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	link_init(&link, pair[0]);
	while (size >= 3) {
		size_t fd_count = data[0] % (FD_SEND_MAX + 1);
		size_t len = MIN((size_t)data[1] << 8 | data[2], size - 3);
		CHECK(fd_send(pair[1], data + 3, len, fds, fd_count) == 0);
		data += 3 + len;
		size -= 3 + len;
		receive_all(&link, direction);
	}
	CHECK(close(pair[1]) == 0);
	receive_all(&link, direction);
	link_release(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum message_direction directions[] = { TO_TEMPLATE, FROM_TEMPLATE, TO_WORKER, FROM_WORKER };

	fuzz_setup();
	int before = count_open_fds();
	for (size_t i = 0; i < ARRAY_LEN(directions); i++)
		play(data, size, directions[i]);
	CHECK(count_open_fds() == before);
	return 0;
}
