/* SPDX-License-Identifier: MIT */
/*
 * buf.c - growable bytes.
 *
 * Called by everybody. Grows by doubling, never shrinks; buf_release() gives the memory back.
 */
#include "base/base.h"

#include "base/buf.h"

#include "base/check.h"

enum { CAP_MIN = 64 };

void buf_init(struct buf *buf)
{
	*buf = (struct buf)BUF_NONE;
}

void buf_release(struct buf *buf)
{
	if (buf == NULL)
		return;
	free(buf->data);
	buf_init(buf);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
}

int buf_try_reserve(struct buf *buf, size_t more)
{
	if (more <= buf->cap - buf->len)
		return 0;
	if (more > SIZE_MAX / 2 - buf->len)
		return -ENOMEM;
	size_t cap = MAX(buf->cap, (size_t)CAP_MIN);
	while (cap - buf->len < more)
		cap *= 2;
	char *data = realloc(buf->data, cap);
	if (data == NULL)
		return -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

void buf_reserve(struct buf *buf, size_t more)
{
	if (LIKELY(buf_try_reserve(buf, more) == 0))
		return;
	/* Dies with the usual words when there is no memory, and with these when nobody could have meant that size. */
	CHECK(more <= SIZE_MAX / 2 - buf->len);
	buf->cap = buf->len + more;
	buf->data = xrealloc(buf->data, buf->cap);
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (len == 0)
		return;
	buf_reserve(buf, len);
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
}

void buf_add_str(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_add_span(struct buf *buf, struct span span)
{
	buf_add(buf, span.at, span.len);
}

void buf_add_byte(struct buf *buf, char byte)
{
	buf_reserve(buf, 1);
	buf->data[buf->len++] = byte;
}

void buf_vaddf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	buf_reserve(buf, 1);
	size_t room = buf->cap - buf->len;
	int len = vsnprintf(buf->data + buf->len, room, fmt, args);
	CHECK(len >= 0);
	if ((size_t)len >= room) {
		buf_reserve(buf, (size_t)len + 1);
		(void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
	}
	va_end(again);
	buf->len += (size_t)len;
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	buf_vaddf(buf, fmt, args);
	va_end(args);
}

const char *buf_text(struct buf *buf)
{
	buf_reserve(buf, 1);
	buf->data[buf->len] = '\0';
	return buf->data;
}

char *buf_detach(struct buf *buf)
{
	(void)buf_text(buf);
	char *text = buf->data;
	buf_init(buf);
	return text;
}
