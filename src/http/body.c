/* SPDX-License-Identifier: MIT */
/*
 * body.c - the request's body: how many of the bytes on the wire belong to it.
 *
 * Called by worker/body.c with whatever arrived. Keeps no bytes: payload is a piece of the caller's memory.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

void http_body_init(struct http_body *body, const struct http_request *request, const struct http_policy *policy)
{
	*body = (struct http_body){ .kind = request->body_kind, .policy = policy };
	if (body->kind == HTTP_BODY_LENGTH)
		body->remaining = request->content_length;
	body->is_done = body->kind == HTTP_BODY_NONE;
}

enum http_result http_body_read(struct http_body *body, const char *data, size_t len, size_t *ret_used,
                                struct span *ret_payload)
{
	*ret_used = 0;
	*ret_payload = SPAN_NONE;
	if (body->is_done)
		return HTTP_DONE;
	if (body->kind == HTTP_BODY_CHUNKED)
		return http_chunk_read(body, data, len, ret_used, ret_payload);

	size_t size = len < body->remaining ? len : (size_t)body->remaining;
	body->remaining -= size;
	body->is_done = body->remaining == 0;
	*ret_used = size;
	*ret_payload = span_of(data, size);
	return body->is_done ? HTTP_DONE : HTTP_MORE;
}
