/* SPDX-License-Identifier: MIT */
/*
 * test_message.c - messages and their bytes, also bytes from a peer that lies.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#include "shared/message.h"

static const struct {
	enum message_id id;
	enum message_direction direction;
	const char *name;
} kinds[] = {
#define MESSAGE(name, direction, fields) { MESSAGE_##name, direction, #name },
#include "tables/messages.def"
#undef MESSAGE
};

static const enum message_direction directions[] = { TO_TEMPLATE, FROM_TEMPLATE, FROM_WORKER };

/* Fills every field of the union with something and every text with `text`. */
static struct message filled(enum message_id id, char *text)
{
	struct message message;
	message_init(&message, id);
	switch (id) {
#define U32(x) to->x = 0xfedcba98u;
#define I32(x) to->x = -77;
#define U64(x) to->x = UINT64_MAX - 1;
#define TEXT(x) to->x = text;
#define MESSAGE(name, direction, fields)                                                                                      \
	case MESSAGE_##name: {                                                                                                \
		struct message_##name *to = &message.name;                                                                    \
		(void)to;                                                                                                     \
		(void)text;                                                                                                   \
		fields                                                                                                        \
		break;                                                                                                        \
	}
#include "tables/messages.def"
#undef MESSAGE
#undef U32
#undef I32
#undef U64
#undef TEXT
	case MESSAGE_none:
	case MESSAGE_MAX:
		break;
	}
	return message;
}

Test(message, every_kind_survives_the_way)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf bytes = BUF_NONE, again = BUF_NONE;
		struct message sent = filled(kinds[i].id, (char[]){ "t\xc3\xa4xt\n2" });
		struct message got;
		cr_assert_eq(message_encode(&sent, &bytes), 0);
		cr_assert_eq(message_decode(&got, kinds[i].direction, bytes.data, bytes.len), 0, "%s", kinds[i].name);
		cr_assert_eq(got.id, kinds[i].id);
		cr_assert_eq(got.fd_count, 0);
		cr_assert_eq(message_encode(&got, &again), 0);
		cr_assert(span_equals(buf_span(&bytes), buf_span(&again)), "%s", kinds[i].name);
		message_release(&got);
		buf_release(&bytes);
		buf_release(&again);
	}
}

Test(message, fields_arrive_as_they_were_sent)
{
	struct buf bytes = BUF_NONE;
	struct message sent, got;
	message_init(&sent, MESSAGE_fork_failed);
	sent.fork_failed.slot = 5;
	sent.fork_failed.serial = UINT32_MAX;
	sent.fork_failed.error = -EAGAIN;
	sent.fork_failed.text = (char[]){ "no more processes" };
	cr_assert_eq(message_encode(&sent, &bytes), 0);
	cr_assert_eq(message_decode(&got, FROM_TEMPLATE, bytes.data, bytes.len), 0);
	cr_assert_eq(got.fork_failed.slot, 5);
	cr_assert_eq(got.fork_failed.serial, UINT32_MAX);
	cr_assert_eq(got.fork_failed.error, -EAGAIN);
	cr_assert_str_eq(got.fork_failed.text, "no more processes");
	message_release(&got);
	cr_assert_eq(got.id, MESSAGE_none);
	message_release(&got);
	buf_release(&bytes);
}

Test(message, a_missing_text_arrives_empty)
{
	struct buf bytes = BUF_NONE;
	struct message sent, got;
	message_init(&sent, MESSAGE_configure);
	cr_assert_eq(message_encode(&sent, &bytes), 0);
	cr_assert_eq(message_decode(&got, TO_TEMPLATE, bytes.data, bytes.len), 0);
	cr_assert_str_eq(got.configure.launch, "");
	message_release(&got);
	buf_release(&bytes);
}

Test(message, only_its_own_direction_may_say_it)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf bytes = BUF_NONE;
		struct message sent = filled(kinds[i].id, (char[]){ "x" });
		cr_assert_eq(message_encode(&sent, &bytes), 0);
		for (size_t k = 0; k < ARRAY_LEN(directions); k++) {
			struct message got;
			if (directions[k] == kinds[i].direction)
				continue;
			cr_assert_eq(message_decode(&got, directions[k], bytes.data, bytes.len), -EPROTO, "%s", kinds[i].name);
			cr_assert_eq(got.id, MESSAGE_none);
		}
		buf_release(&bytes);
	}
}

Test(message, one_byte_less_or_more_is_rubbish)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf bytes = BUF_NONE;
		struct message sent = filled(kinds[i].id, (char[]){ "text" });
		struct message got;
		cr_assert_eq(message_encode(&sent, &bytes), 0);
		for (size_t len = 0; len < bytes.len; len++) {
			/* A copy of just that length, so that a sanitizer sees a read behind the end. */
			char *cut = span_dup(span_of(bytes.data, len));
			cr_assert_eq(message_decode(&got, kinds[i].direction, cut, len), -EPROTO, "%s, %zu", kinds[i].name, len);
			free(cut);
		}
		buf_add_byte(&bytes, 0);
		cr_assert_eq(message_decode(&got, kinds[i].direction, bytes.data, bytes.len), -EPROTO, "%s", kinds[i].name);
		buf_release(&bytes);
	}
}

Test(message, unknown_ids_are_rubbish)
{
	const uint32_t ids[] = { MESSAGE_none, MESSAGE_MAX, MESSAGE_MAX + 1, 0x80000000u, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		for (size_t k = 0; k < ARRAY_LEN(directions); k++) {
			struct message got;
			cr_assert_eq(message_decode(&got, directions[k], &ids[i], sizeof ids[i]), -EPROTO);
		}
	}
}

static int decode_text_of(uint32_t claimed, const char *text, size_t len)
{
	struct buf bytes = BUF_NONE;
	struct message got;
	uint32_t id = MESSAGE_configured;
	buf_add(&bytes, &id, sizeof id);
	buf_add(&bytes, &claimed, sizeof claimed);
	buf_add(&bytes, text, len);
	int result = message_decode(&got, FROM_TEMPLATE, bytes.data, bytes.len);
	message_release(&got);
	buf_release(&bytes);
	return result;
}

Test(message, a_text_that_claims_more_than_there_is_is_rubbish)
{
	cr_assert_eq(decode_text_of(3, "abc", 3), 0);
	cr_assert_eq(decode_text_of(4, "abc", 3), -EPROTO);
	cr_assert_eq(decode_text_of(UINT32_MAX, "abc", 3), -EPROTO);
	cr_assert_eq(decode_text_of(UINT32_MAX - 3, "abc", 3), -EPROTO);
	cr_assert_eq(decode_text_of(2, "abc", 3), -EPROTO);
}

Test(message, a_text_with_a_nul_inside_is_rubbish)
{
	cr_assert_eq(decode_text_of(3, "a\0c", 3), -EPROTO);
}

Test(message, texts_have_a_limit_on_both_sides)
{
	struct buf bytes = BUF_NONE;
	struct message sent, got;
	char *text = xmalloc(MESSAGE_TEXT_MAX + 2);
	memset(text, 'x', MESSAGE_TEXT_MAX + 1);
	text[MESSAGE_TEXT_MAX + 1] = '\0';
	message_init(&sent, MESSAGE_configured);
	sent.configured.values = text;
	buf_add_str(&bytes, "before");
	cr_assert_eq(message_encode(&sent, &bytes), -EMSGSIZE);
	cr_assert_str_eq(buf_text(&bytes), "before", "nothing was added");
	cr_assert_eq(decode_text_of(MESSAGE_TEXT_MAX + 1, text, MESSAGE_TEXT_MAX + 1), -EPROTO);
	text[MESSAGE_TEXT_MAX] = '\0';
	buf_clear(&bytes);
	cr_assert_eq(message_encode(&sent, &bytes), 0);
	cr_assert_eq(message_decode(&got, FROM_TEMPLATE, bytes.data, bytes.len), 0);
	cr_assert_eq(strlen(got.configured.values), (size_t)MESSAGE_TEXT_MAX);
	message_release(&got);
	buf_release(&bytes);
	free(text);
}

Test(message, the_whole_has_a_limit_too)
{
	struct buf bytes = BUF_NONE;
	struct message sent;
	char *text = xmalloc(MESSAGE_TEXT_MAX);
	memset(text, 'x', MESSAGE_TEXT_MAX - 1);
	text[MESSAGE_TEXT_MAX - 1] = '\0';
	message_init(&sent, MESSAGE_go);
	sent.go.settings = sent.go.app = text;
	cr_assert_eq(message_encode(&sent, &bytes), -EMSGSIZE, "two long texts do not fit into one datagram");
	cr_assert_eq(bytes.len, 0);
	buf_release(&bytes);
	free(text);
}

/* A fixed sequence, so that a failure can be seen again. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

Test(message, random_bytes_are_read_without_harm)
{
	uint32_t state = 1;
	for (int round = 0; round < 200000; round++) {
		char bytes[64];
		size_t len = next_random(&state) % sizeof bytes;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)next_random(&state);
		uint32_t id = 1 + next_random(&state) % (MESSAGE_MAX - 1);
		if (len >= sizeof id)
			memcpy(bytes, &id, sizeof id);
		if (len >= 8 && next_random(&state) % 2 == 0) {
			uint32_t text_len = next_random(&state) % 64;
			memcpy(bytes + 4, &text_len, sizeof text_len);
		}
		struct message got;
		int result = message_decode(&got, directions[round % 3], bytes, len);
		cr_assert(result == 0 || (result == -EPROTO && got.id == MESSAGE_none));
		message_release(&got);
	}
}

Test(message, release_closes_what_was_not_taken)
{
	struct message message;
	message_init(&message, MESSAGE_ready);
	message.fd_count = 2;
	message.fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	message.fds[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int left = message.fds[0], taken = message.fds[1];
	message.fds[1] = FD_NONE;
	message_release(&message);
	cr_assert_eq(fcntl(left, F_GETFD), -1);
	cr_assert_geq(fcntl(taken, F_GETFD), 0);
	fd_close(&taken);
	message_release(NULL);
}

Test(message, every_kind_has_a_name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		cr_assert_str_eq(message_name(kinds[i].id), kinds[i].name);
	cr_assert_str_eq(message_name(MESSAGE_none), "none");
	cr_assert_str_eq(message_name((enum message_id)9999), "none");
}
