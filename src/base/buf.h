/* SPDX-License-Identifier: MIT */
/*
 * buf.h - growable bytes.
 *
 * A zeroed struct is an empty buffer. `data` is not terminated except after buf_text().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"
#include "base/span.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_NONE                                                                                                              \
	{                                                                                                                     \
		NULL, 0, 0                                                                                                    \
	}

void buf_init(struct buf *buf);
void buf_release(struct buf *buf);                     /* frees the contents, leaves an empty buffer */
void buf_clear(struct buf *buf);                       /* len = 0, keeps the memory */
/* Room for `more` bytes behind len. 0 or -ENOMEM; the only failing kind, for sizes that a client controls. */
int buf_try_reserve(struct buf *buf, size_t more) ATTR_MUST_CHECK;
void buf_reserve(struct buf *buf, size_t more);        /* dies without memory */
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_str(struct buf *buf, const char *text);
void buf_add_span(struct buf *buf, struct span span);
void buf_add_byte(struct buf *buf, char byte);
void buf_addf(struct buf *buf, const char *fmt, ...) ATTR_PRINTF(2, 3);
void buf_vaddf(struct buf *buf, const char *fmt, va_list args) ATTR_PRINTF(2, 0);
/* The contents as a terminated string, valid until the next change; never NULL. */
const char *buf_text(struct buf *buf);
/* Gives the terminated contents away (the caller frees), leaves an empty buffer. */
char *buf_detach(struct buf *buf);
static inline struct span buf_span(const struct buf *buf)
{
	return (struct span){ buf->data, buf->len };
}

#endif
