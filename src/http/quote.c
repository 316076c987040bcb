/* SPDX-License-Identifier: MIT */
/*
 * quote.c - bytes from outside made fit to print.
 *
 * Called for error texts (as Python's repr) and for values in the access log. Pure; whatever goes in, no control byte comes
 * out.
 */
#include "base/base.h"
#include "http/http_internal.h"

void http_write_repr(struct span bytes, struct buf *text)
{
	/* Python prefers ' unless that is in the text and " is not. */
	bool use_double = span_find(bytes, '\'') >= 0 && span_find(bytes, '"') < 0;
	char quote = use_double ? '"' : '\'';

	buf_add_byte(text, quote);
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.at[i];
		if (byte == '\\' || byte == (unsigned char)quote)
			buf_addf(text, "\\%c", byte);
		else if (byte == '\r' || byte == '\n' || byte == '\t')
			buf_add_str(text, byte == '\r' ? "\\r" : byte == '\n' ? "\\n" : "\\t");
		else if (byte < 0x20 || byte >= 0x7f)
			buf_addf(text, "\\x%02x", byte);
		else
			buf_add_byte(text, (char)byte);
	}
	buf_add_byte(text, quote);
}

static bool is_between(char byte, unsigned low, unsigned high)
{
	return (unsigned char)byte >= low && (unsigned char)byte <= high;
}

/* Length of the UTF-8 sequence at `at` that is safe to print, 0 when there is none. C1 controls (U+0080-9F) are not. */
static size_t utf8_len(const char *at, size_t left)
{
	unsigned char first = (unsigned char)at[0];
	size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	/* Bounds of the second byte keep out overlong forms, surrogates and what is behind U+10FFFF. */
	unsigned low = first == 0xc2 || first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	if (first < 0xc2 || first > 0xf4 || left < len || !is_between(at[1], low, high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!is_between(at[i], 0x80, 0xbf))
			return 0;
	return len;
}

/* gunicorn quotes '"' alone (glogging.py SafeAtoms). gunwale: nothing that ends a line or steers a terminal either. */
void http_write_safe(struct span value, struct buf *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t begin = 0;

	for (size_t i = 0; i < value.len;) {
		char byte = value.at[i];
		if (LIKELY(byte >= 0x20 && byte < 0x7f && byte != '"')) {
			i++;
			continue;
		}
		size_t sequence = (unsigned char)byte >= 0x80 ? utf8_len(value.at + i, value.len - i) : 0;
		if (sequence > 0) {
			i += sequence;
			continue;
		}
		buf_add(text, value.at + begin, i - begin);
		if (byte == '"')
			buf_add(text, "\\\"", 2);
		else
			buf_add(text, (char[]){ '\\', 'x', digits[(unsigned char)byte >> 4], digits[byte & 15] }, 4);
		begin = ++i;
	}
	if (value.len > begin)
		buf_add(text, value.at + begin, value.len - begin);
}
