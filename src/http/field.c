/* SPDX-License-Identifier: MIT */
/*
 * field.c - what bytes header names and values may have, and the names that nearly every request has.
 *
 * Called by the parser for each field, and by py/ for WSGI keys. Pure: no state, no allocation.
 */
#include "base/base.h"
#include "http/field.h"

#include "http/http_internal.h"

/* Sums of HTTP_BYTE_x. */
const uint8_t http_byte_class[256] = {
	0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0,  /* 0x0_ */
	0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* 0x1_ */
	2,  15, 6,  7,  15, 15, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6,  /* 0x2_ */
	31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 6,  14, 6,  14, 6,  6,  /* 0x3_ */
	6,  31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 0x4_ */
	15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6,  6,  6,  7,  15, /* 0x5_ */
	7,  63, 63, 63, 63, 63, 63, 47, 47, 47, 47, 47, 47, 47, 47, 47, /* 0x6_ */
	47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 6,  7,  6,  15, 0,  /* 0x7_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0x8_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0x9_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0xA_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0xB_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0xC_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0xD_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0xE_ */
	6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  6,  /* 0xF_ */
};

static const struct {
	const char *name;
	const char *key;
} known_fields[HTTP_FIELD_MAX] = {
	[HTTP_FIELD_OTHER] = { NULL, NULL },
#define FIELD(id, name, key) [HTTP_FIELD_##id] = { name, key },
#include "http/field.def"
#undef FIELD
};

/* First and last row of field.def for each length of a name. */
static const struct {
	uint8_t first, last;
} rows_of_length[] = {
	[2] = { HTTP_FIELD_TE, HTTP_FIELD_TE },
	[3] = { HTTP_FIELD_DNT, HTTP_FIELD_VIA },
	[4] = { HTTP_FIELD_DATE, HTTP_FIELD_HOST },
	[5] = { HTTP_FIELD_RANGE, HTTP_FIELD_RANGE },
	[6] = { HTTP_FIELD_ACCEPT, HTTP_FIELD_PRAGMA },
	[7] = { HTTP_FIELD_REFERER, HTTP_FIELD_UPGRADE },
	[8] = { HTTP_FIELD_IF_MATCH, HTTP_FIELD_PRIORITY },
	[9] = { HTTP_FIELD_FORWARDED, HTTP_FIELD_X_REAL_IP },
	[10] = { HTTP_FIELD_CONNECTION, HTTP_FIELD_USER_AGENT },
	[11] = { HTTP_FIELD_TRACEPARENT, HTTP_FIELD_X_CSRFTOKEN },
	[12] = { HTTP_FIELD_CONTENT_TYPE, HTTP_FIELD_X_REQUEST_ID },
	[13] = { HTTP_FIELD_AUTHORIZATION, HTTP_FIELD_IF_NONE_MATCH },
	[14] = { HTTP_FIELD_ACCEPT_CHARSET, HTTP_FIELD_SEC_FETCH_USER },
	[15] = { HTTP_FIELD_ACCEPT_ENCODING, HTTP_FIELD_X_FORWARDED_FOR },
	[16] = { HTTP_FIELD_CONTENT_ENCODING, HTTP_FIELD_X_REQUESTED_WITH },
	[17] = { HTTP_FIELD_IF_MODIFIED_SINCE, HTTP_FIELD_X_FORWARDED_PROTO },
	[18] = { HTTP_FIELD_SEC_CH_UA_PLATFORM, HTTP_FIELD_SEC_CH_UA_PLATFORM },
	[19] = { HTTP_FIELD_IF_UNMODIFIED_SINCE, HTTP_FIELD_IF_UNMODIFIED_SINCE },
	[25] = { HTTP_FIELD_UPGRADE_INSECURE_REQUESTS, HTTP_FIELD_UPGRADE_INSECURE_REQUESTS },
};

bool http_is_token(struct span name)
{
	if (name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!http_byte_is(name.at[i], HTTP_BYTE_TOKEN))
			return false;
	return true;
}

/* Eight bytes at a time; a word that has anything below 0x20, or 0x7F, is looked at byte by byte (it may be a tab). */
bool http_is_field_value(struct span value)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t highs = ones * 0x80;
	const char *at = value.at;
	size_t left = value.len;

	for (; left >= 8; at += 8, left -= 8) {
		uint64_t word;
		memcpy(&word, at, sizeof(word));
		uint64_t below_space = (word - ones * 0x20) & ~word;
		uint64_t without_del = word ^ (ones * 0x7f);
		uint64_t is_del = (without_del - ones) & ~without_del;
		if (LIKELY(((below_space | is_del) & highs) == 0))
			continue;
		for (size_t i = 0; i < 8; i++)
			if (!http_byte_is(at[i], HTTP_BYTE_VALUE))
				return false;
	}
	for (size_t i = 0; i < left; i++)
		if (!http_byte_is(at[i], HTTP_BYTE_VALUE))
			return false;
	return true;
}

/*
 * Only for tokens against names of letters and '-': no other token byte than '-' becomes '-' by the bit of the case, and
 * none but letters become letters.
 */
static bool is_same_name(const char *token, const char *name, size_t len)
{
	unsigned difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= (unsigned)((unsigned char)token[i] | 0x20) ^ (unsigned char)name[i];
	return difference == 0;
}

enum http_field_id http_field_id(struct span name)
{
	if (name.len >= ARRAY_LEN(rows_of_length) || rows_of_length[name.len].first == HTTP_FIELD_OTHER)
		return HTTP_FIELD_OTHER;

	char first = (char)(name.at[0] | 0x20);
	for (unsigned id = rows_of_length[name.len].first; id <= rows_of_length[name.len].last; id++)
		if (known_fields[id].name[0] == first && is_same_name(name.at, known_fields[id].name, name.len))
			return (enum http_field_id)id;
	return HTTP_FIELD_OTHER;
}

const char *http_field_key(enum http_field_id id)
{
	return known_fields[id].key;
}

size_t http_field_write_key(struct span name, char *key)
{
	memcpy(key, "HTTP_", 5);
	for (size_t i = 0; i < name.len; i++) {
		char byte = name.at[i];
		if (byte == '-')
			key[5 + i] = '_';
		else
			key[5 + i] = http_byte_is(byte, HTTP_BYTE_LOWER) ? (char)(byte - 0x20) : byte;
	}
	return 5 + name.len;
}
