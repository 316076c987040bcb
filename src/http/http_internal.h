/* SPDX-License-Identifier: MIT */
/*
 * http_internal.h - what the files of src/http share among themselves. Nobody else includes it.
 */
#ifndef HTTP_HTTP_INTERNAL_H
#define HTTP_HTTP_INTERNAL_H

#include "base/base.h"
#include "base/buf.h"
#include "http/http.h"

/* Classes of bytes: http_byte_class[(unsigned char)byte] & HTTP_BYTE_x. Defined in field.c. */
#define HTTP_BYTE_TOKEN 1  /* RFC 9110 tchar */
#define HTTP_BYTE_VALUE 2  /* HTAB, SP, 0x21-0x7E, 0x80-0xFF */
#define HTTP_BYTE_TARGET 4 /* 0x21-0x7E, 0x80-0xFF */
#define HTTP_BYTE_HOST 8   /* RFC 3986 unreserved, sub-delims, '%' */
#define HTTP_BYTE_HEX 16
#define HTTP_BYTE_LOWER 32 /* a-z */
extern const uint8_t http_byte_class[256];

static inline bool http_byte_is(char byte, unsigned classes)
{
	return (http_byte_class[(unsigned char)byte] & classes) != 0;
}
/* Of a byte that is HTTP_BYTE_HEX. */
static inline unsigned http_hex_value(char byte)
{
	return byte <= '9' ? (unsigned)(byte - '0') : (unsigned)((byte | 0x20) - 'a' + 10);
}
static inline char http_to_upper(char byte)
{
	return byte >= 'a' && byte <= 'z' ? (char)(byte - 0x20) : byte;
}

static inline char http_to_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* A row of a table of spans; SPAN_LIT() is no constant expression. */
#define NAME(literal)                                                                                                       \
	{                                                                                                                   \
		(literal), sizeof(literal) - 1                                                                              \
	}

/* policy.c: bytes that all field lines of a head (or of a trailer section) may have together. */
size_t http_policy_head_limit(const struct http_policy *policy);

/* uri.c: takes request->target apart (path, query, host). HTTP_DONE or HTTP_BAD_TARGET. */
enum http_result http_target_parse(struct http_request *request);
/* uri.c: host[:port] as in Host; may be empty. */
bool http_is_authority(struct span authority);

/* request.c: what the fields of a complete head say together: framing, Host, Connection, Expect. HTTP_DONE or why not. */
enum http_result http_request_finish(struct http_request *request, const struct http_policy *policy);
/* request.c: a new entry of request->fields; the caller keeps the count within the policy. */
struct http_field *http_request_add_field(struct http_request *request);

/* chunk.c: http_body_read() for HTTP_BODY_CHUNKED. */
enum http_result http_chunk_read(struct http_body *body, const char *data, size_t len, size_t *ret_used,
                                 struct span *ret_payload);

/* quote.c: the bytes as Python's repr() writes the latin-1 string; everything but printable ASCII is escaped. */
void http_write_repr(struct span bytes, struct buf *text);
/* quote.c: the bytes for a log line: '"' as \", control bytes and what is no UTF-8 as \xHH. */
void http_write_safe(struct span value, struct buf *text);

#endif
