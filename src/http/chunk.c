/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - the chunked transfer coding (RFC 9112 section 7.1), byte for byte.
 *
 * Called by body.c. A state machine over single bytes but for payload, which is taken in pieces. Every line is bounded:
 * chunk extensions and trailers are read past, never kept.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

enum chunk_state {
	CHUNK_SIZE_FIRST, /* at least one digit must come */
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_PAYLOAD,
	CHUNK_PAYLOAD_CR,
	CHUNK_PAYLOAD_LF,
	CHUNK_TRAILER_FIRST, /* of a line: a name, or the CR that ends it all */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_REFUSED_SIZE, /* the refusals, for good */
	CHUNK_REFUSED_TRAILER,
	CHUNK_REFUSED_COUNT,
	CHUNK_REFUSED_LENGTH,
};

/*
 * RFC 9110 6.5.1: what frames, routes or authenticates has no business behind the content. They would be dropped like all
 * trailers, but who sends them wants to fool somebody. gunicorn: body.py has the first six. Content-Type is let pass: there
 * are clients that send it.
 */
static const struct span forbidden_trailers[] = {
	NAME("content-length"),
	NAME("transfer-encoding"),
	NAME("host"),
	NAME("trailer"),
	NAME("authorization"),
	NAME("te"),
	NAME("connection"),
	NAME("expect"),
	NAME("upgrade"),
	NAME("cookie"),
	NAME("content-encoding"),
	NAME("content-range"),
	NAME("proxy-authorization"),
};

static enum http_result refusal(int state)
{
	switch (state) {
	case CHUNK_REFUSED_TRAILER:
		return HTTP_BAD_TRAILER;
	case CHUNK_REFUSED_COUNT:
		return HTTP_TOO_MANY_HEADERS;
	case CHUNK_REFUSED_LENGTH:
		return HTTP_HEADER_TOO_LONG;
	default:
		return HTTP_BAD_CHUNK;
	}
}

static bool is_forbidden_trailer(const struct http_body *body)
{
	if (body->name_bytes > sizeof(body->trailer_name))
		return false; /* longer than any of them */
	struct span name = span_of(body->trailer_name, body->name_bytes);
	for (size_t i = 0; i < ARRAY_LEN(forbidden_trailers); i++)
		if (span_equals(name, forbidden_trailers[i]))
			return true;
	return false;
}

/* ---- the line with the size; each step returns the next state ---- */

static int step_size(struct http_body *body, char byte)
{
	if (http_byte_is(byte, HTTP_BYTE_HEX)) {
		if (body->remaining > (uint64_t)INT64_MAX >> 4)
			return CHUNK_REFUSED_SIZE;
		body->remaining = body->remaining << 4 | http_hex_value(byte);
		return CHUNK_SIZE;
	}
	if (body->state == CHUNK_SIZE_FIRST)
		return CHUNK_REFUSED_SIZE;
	if (byte == ';')
		return CHUNK_EXTENSION;
	return byte == '\r' ? CHUNK_SIZE_LF : CHUNK_REFUSED_SIZE;
}

static int step_size_line(struct http_body *body, char byte)
{
	if (++body->line_bytes > HTTP_CHUNK_LINE_MAX)
		return CHUNK_REFUSED_SIZE;
	switch (body->state) {
	case CHUNK_SIZE_FIRST:
	case CHUNK_SIZE:
		return step_size(body, byte);
	case CHUNK_EXTENSION:
		if (byte == '\r')
			return CHUNK_SIZE_LF;
		return http_byte_is(byte, HTTP_BYTE_VALUE) ? CHUNK_EXTENSION : CHUNK_REFUSED_SIZE;
	default:
		if (byte != '\n')
			return CHUNK_REFUSED_SIZE;
		body->line_bytes = 0;
		return body->remaining > 0 ? CHUNK_PAYLOAD : CHUNK_TRAILER_FIRST;
	}
}

/* ---- trailers ---- */

static int step_trailer_name(struct http_body *body, char byte)
{
	if (http_byte_is(byte, HTTP_BYTE_TOKEN)) {
		if (body->name_bytes < sizeof(body->trailer_name))
			body->trailer_name[body->name_bytes] = http_to_lower(byte);
		body->name_bytes++;
		return CHUNK_TRAILER_NAME;
	}
	if (byte != ':' || body->name_bytes == 0 || is_forbidden_trailer(body))
		return CHUNK_REFUSED_TRAILER;
	return CHUNK_TRAILER_VALUE;
}

static int step_trailer(struct http_body *body, char byte)
{
	body->line_bytes++;
	body->trailer_bytes++;
	if (body->line_bytes > body->policy->limit_request_field_size && body->line_bytes > 2)
		return CHUNK_REFUSED_LENGTH;
	if (body->trailer_bytes > http_policy_head_limit(body->policy))
		return CHUNK_REFUSED_LENGTH;

	switch (body->state) {
	case CHUNK_TRAILER_FIRST:
		if (byte == '\r')
			return CHUNK_LAST_LF;
		if (++body->trailer_count > body->policy->limit_request_fields)
			return CHUNK_REFUSED_COUNT;
		body->name_bytes = 0;
		return step_trailer_name(body, byte); /* refuses blanks: no folding here */
	case CHUNK_TRAILER_NAME:
		return step_trailer_name(body, byte);
	case CHUNK_TRAILER_VALUE:
		if (byte == '\r')
			return CHUNK_TRAILER_LF;
		return http_byte_is(byte, HTTP_BYTE_VALUE) ? CHUNK_TRAILER_VALUE : CHUNK_REFUSED_TRAILER;
	case CHUNK_TRAILER_LF:
		body->line_bytes = 0;
		return byte == '\n' ? CHUNK_TRAILER_FIRST : CHUNK_REFUSED_TRAILER;
	default:
		body->is_done = byte == '\n';
		return body->is_done ? CHUNK_LAST_LF : CHUNK_REFUSED_TRAILER;
	}
}

static int step(struct http_body *body, char byte)
{
	switch (body->state) {
	case CHUNK_PAYLOAD_CR:
		return byte == '\r' ? CHUNK_PAYLOAD_LF : CHUNK_REFUSED_SIZE;
	case CHUNK_PAYLOAD_LF:
		return byte == '\n' ? CHUNK_SIZE_FIRST : CHUNK_REFUSED_SIZE;
	case CHUNK_SIZE_FIRST:
	case CHUNK_SIZE:
	case CHUNK_EXTENSION:
	case CHUNK_SIZE_LF:
		return step_size_line(body, byte);
	default:
		return step_trailer(body, byte);
	}
}

enum http_result http_chunk_read(struct http_body *body, const char *data, size_t len, size_t *ret_used,
                                 struct span *ret_payload)
{
	for (size_t i = 0; i < len; i++) {
		if (body->state == CHUNK_PAYLOAD) {
			size_t size = len - i < body->remaining ? len - i : (size_t)body->remaining;
			body->remaining -= size;
			if (body->remaining == 0)
				body->state = CHUNK_PAYLOAD_CR;
			*ret_payload = span_of(data + i, size);
			*ret_used = i + size;
			return HTTP_MORE;
		}
		if (body->state >= CHUNK_REFUSED_SIZE)
			return refusal(body->state);
		body->state = step(body, data[i]);
		if (body->state >= CHUNK_REFUSED_SIZE)
			return refusal(body->state);
		if (body->is_done) {
			*ret_used = i + 1;
			return HTTP_DONE;
		}
	}
	*ret_used = len;
	return body->state >= CHUNK_REFUSED_SIZE ? refusal(body->state) : HTTP_MORE;
}
