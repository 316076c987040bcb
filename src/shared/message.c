/* SPDX-License-Identifier: MIT */
/*
 * message.c - the bytes of each row of messages.def.
 *
 * Called by link.c, and by tests with hostile bytes. Knows no sockets. Both ends are one build on one machine: numbers go as
 * they stand in memory.
 *
 *   u32 id, then the fields in order; TEXT is a u32 length and that many bytes, none of them NUL.
 */
#include "base/base.h"

#include "shared/message.h"

#include "base/check.h"

struct row {
	const char *name;
	enum message_direction direction;
};

static const struct row rows[MESSAGE_MAX] = {
#define MESSAGE(name, direction, fields) [MESSAGE_##name] = { #name, direction },
#include "tables/messages.def"
#undef MESSAGE
};

struct writer {
	struct buf *bytes;
	bool is_too_long;
};

static void put_text(struct writer *to, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	if (len > MESSAGE_TEXT_MAX || to->bytes->len + len > SIZE_MAX / 4) {
		to->is_too_long = true;
		return;
	}
	uint32_t sent_len = (uint32_t)len;
	buf_add(to->bytes, &sent_len, sizeof sent_len);
	buf_add(to->bytes, text, len);
}

#define U32(x) buf_add(to->bytes, &from->x, sizeof(uint32_t));
#define I32(x) buf_add(to->bytes, &from->x, sizeof(int32_t));
#define U64(x) buf_add(to->bytes, &from->x, sizeof(uint64_t));
#define TEXT(x) put_text(to, from->x);
#define MESSAGE(name, direction, fields)                                                                                      \
	static void encode_##name(struct writer *to ATTR_UNUSED, const struct message_##name *from ATTR_UNUSED)               \
	{                                                                                                                     \
		fields                                                                                                        \
	}
#include "tables/messages.def"
#undef MESSAGE
#undef U32
#undef I32
#undef U64
#undef TEXT

struct reader {
	const char *at;
	size_t left;
	bool is_bad;
};

static void get_bytes(struct reader *from, void *into, size_t len)
{
	if (from->is_bad || from->left < len) {
		from->is_bad = true;
		return;
	}
	memcpy(into, from->at, len);
	from->at += len;
	from->left -= len;
}

static char *get_text(struct reader *from)
{
	uint32_t len = 0;
	get_bytes(from, &len, sizeof len);
	if (from->is_bad || len > MESSAGE_TEXT_MAX || len > from->left || memchr(from->at, '\0', len) != NULL) {
		from->is_bad = true;
		return NULL;
	}
	char *text = xstrndup(from->at, len);
	from->at += len;
	from->left -= len;
	return text;
}

#define U32(x) get_bytes(from, &to->x, sizeof(uint32_t));
#define I32(x) get_bytes(from, &to->x, sizeof(int32_t));
#define U64(x) get_bytes(from, &to->x, sizeof(uint64_t));
#define TEXT(x) to->x = get_text(from);
#define MESSAGE(name, direction, fields)                                                                                      \
	static void decode_##name(struct reader *from ATTR_UNUSED, struct message_##name *to ATTR_UNUSED)                     \
	{                                                                                                                     \
		fields                                                                                                        \
	}
#include "tables/messages.def"
#undef MESSAGE
#undef U32
#undef I32
#undef U64
#undef TEXT

#define U32(x)
#define I32(x)
#define U64(x)
#define TEXT(x) free(of->x);
#define MESSAGE(name, direction, fields)                                                                                      \
	static void release_##name(struct message_##name *of ATTR_UNUSED)                                                     \
	{                                                                                                                     \
		fields                                                                                                        \
	}
#include "tables/messages.def"
#undef MESSAGE
#undef U32
#undef I32
#undef U64
#undef TEXT

void message_init(struct message *message, enum message_id id)
{
	memset(message, 0, sizeof *message);
	message->id = id;
	for (size_t i = 0; i < FD_SEND_MAX; i++)
		message->fds[i] = FD_NONE;
}

void message_release(struct message *message)
{
	if (message == NULL)
		return;
	switch (message->id) {
#define MESSAGE(name, direction, fields)                                                                                      \
	case MESSAGE_##name:                                                                                                  \
		release_##name(&message->name);                                                                               \
		break;
#include "tables/messages.def"
#undef MESSAGE
	case MESSAGE_none:
	case MESSAGE_MAX:
		break;
	}
	for (size_t i = 0; i < MIN(message->fd_count, (size_t)FD_SEND_MAX); i++)
		fd_close(&message->fds[i]);
	message_init(message, MESSAGE_none);
}

int message_encode(const struct message *message, struct buf *ret_bytes)
{
	size_t len_before = ret_bytes->len;
	struct writer to = { ret_bytes, false };
	uint32_t id = (uint32_t)message->id;
	buf_add(ret_bytes, &id, sizeof id);
	switch (message->id) {
#define MESSAGE(name, direction, fields)                                                                                      \
	case MESSAGE_##name:                                                                                                  \
		encode_##name(&to, &message->name);                                                                           \
		break;
#include "tables/messages.def"
#undef MESSAGE
	case MESSAGE_none:
	case MESSAGE_MAX:
		BUG("a message without a kind was to be sent");
	}
	if (to.is_too_long || ret_bytes->len - len_before > MESSAGE_BYTES_MAX) {
		ret_bytes->len = len_before;
		return -EMSGSIZE;
	}
	return 0;
}

int message_decode(struct message *ret_message, enum message_direction direction, const void *data, size_t len)
{
	struct reader from = { data, len, len > MESSAGE_BYTES_MAX };
	uint32_t id = 0;
	get_bytes(&from, &id, sizeof id);
	if (from.is_bad || id == MESSAGE_none || id >= MESSAGE_MAX || rows[id].direction != direction) {
		message_init(ret_message, MESSAGE_none);
		return -EPROTO;
	}
	message_init(ret_message, (enum message_id)id);
	switch (ret_message->id) {
#define MESSAGE(name, direction, fields)                                                                                      \
	case MESSAGE_##name:                                                                                                  \
		decode_##name(&from, &ret_message->name);                                                                     \
		break;
#include "tables/messages.def"
#undef MESSAGE
	case MESSAGE_none:
	case MESSAGE_MAX:
		break;
	}
	if (from.is_bad || from.left != 0) {
		message_release(ret_message);
		return -EPROTO;
	}
	return 0;
}

const char *message_name(enum message_id id)
{
	return (size_t)id < MESSAGE_MAX && rows[id].name != NULL ? rows[id].name : "none";
}
