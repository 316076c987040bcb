/* SPDX-License-Identifier: MIT */
/*
 * message.h - one struct per row of messages.def, and their bytes.
 */
#ifndef SHARED_MESSAGE_H
#define SHARED_MESSAGE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/fd.h"

enum {
	MESSAGE_TEXT_MAX = 96 * 1024,
	MESSAGE_BYTES_MAX = 128 * 1024, /* fits the kernel's default socket buffer */
};

enum message_direction { TO_TEMPLATE, FROM_TEMPLATE, TO_WORKER, FROM_WORKER };

enum message_id {
	MESSAGE_none,
#define MESSAGE(name, direction, fields) MESSAGE_##name,
#include "tables/messages.def"
#undef MESSAGE
	MESSAGE_MAX
};

#define U32(x) uint32_t x;
#define I32(x) int32_t x;
#define U64(x) uint64_t x;
#define TEXT(x) char *x;
#define MESSAGE(name, direction, fields)                                                                                      \
	struct message_##name {                                                                                               \
		fields char unused_end;                                                                                       \
	};
#include "tables/messages.def"
#undef MESSAGE
#undef U32
#undef I32
#undef U64
#undef TEXT

struct message {
	enum message_id id;
	int fds[FD_SEND_MAX]; /* received: owned by the message until taken (set to FD_NONE); to send: borrowed */
	size_t fd_count;
	union {
#define MESSAGE(name, direction, fields) struct message_##name name;
#include "tables/messages.def"
#undef MESSAGE
	};
};

/* An empty message of that kind; texts NULL. */
void message_init(struct message *message, enum message_id id);
/* Frees what message_decode() allocated, closes fds that were not taken. For received messages only. */
void message_release(struct message *message);
/* Appends the bytes. NULL texts are sent as empty. -EMSGSIZE when a text or the whole is too long. */
int message_encode(const struct message *message, struct buf *ret_bytes);
/* Reads bytes from a peer that is not trusted. -EPROTO when they are no message of `direction`; then nothing is held. */
int message_decode(struct message *ret_message, enum message_direction direction, const void *data, size_t len);
const char *message_name(enum message_id id);

#endif
