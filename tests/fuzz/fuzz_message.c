/* SPDX-License-Identifier: MIT */
/*
 * fuzz_message.c - messages of a link, from a peer that is not trusted.
 *
 * Input: bytes of one message, read in every direction. What is taken for a message is the same message, byte for byte,
 * when it is sent on.
 */
#include "base/base.h"
#include "fuzz.h"

#include "shared/message.h"

static void check_direction(enum message_direction direction, const char *data, size_t len)
{
	struct message message;
	struct buf bytes = BUF_NONE;

	if (message_decode(&message, direction, data, len) != 0)
		return;
	CHECK(message.id > MESSAGE_none && message.id < MESSAGE_MAX && message.fd_count == 0);
	CHECK(message_encode(&message, &bytes) == 0);
	CHECK(bytes.len == len && memcmp(bytes.data, data, len) == 0);
	buf_release(&bytes);
	message_release(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum message_direction directions[] = { TO_TEMPLATE, FROM_TEMPLATE, TO_WORKER, FROM_WORKER };

	fuzz_setup();
	for (size_t i = 0; i < ARRAY_LEN(directions); i++)
		check_direction(directions[i], (const char *)data, size);
	return 0;
}
