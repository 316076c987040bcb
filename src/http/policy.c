/* SPDX-License-Identifier: MIT */
/*
 * policy.c - limits and strictness switches of the engine, from the settings as users write them.
 *
 * Called by worker/service.c at its start and by worker/trust.c for each field. Reads no settings itself: http/ knows none.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

#define DEFAULT_FIELD_SIZE (8190)

void http_policy_init(struct http_policy *policy, long line, long fields, long field_size)
{
	*policy = (struct http_policy){ .header_map = HTTP_MAP_DROP };

	/* gunicorn: message.py, the limits of class Request. 0 is no limit for it; for us a wide one. */
	if (line == 0)
		policy->limit_request_line = HTTP_UNLIMITED_LINE_MAX;
	else
		policy->limit_request_line = line < 0 || line > HTTP_LINE_MAX ? HTTP_LINE_MAX : (size_t)line;

	policy->limit_request_fields = fields <= 0 || fields > HTTP_FIELDS_MAX ? HTTP_FIELDS_MAX : (size_t)fields;

	/* gunicorn's documentation says that 0 is unlimited, its code takes the default then. We do what it says. */
	if (field_size == 0)
		policy->limit_request_field_size = HTTP_UNLIMITED_LINE_MAX;
	else if (field_size < 0)
		policy->limit_request_field_size = DEFAULT_FIELD_SIZE;
	else
		policy->limit_request_field_size = MIN((size_t)field_size, (size_t)HTTP_HEAD_MAX);
}

size_t http_policy_head_limit(const struct http_policy *policy)
{
	size_t fields = policy->limit_request_fields;
	size_t size = policy->limit_request_field_size;

	/* gunicorn: max_buffer_headers. */
	if (size > HTTP_HEAD_MAX || fields > HTTP_HEAD_MAX / (size + 2))
		return HTTP_HEAD_MAX;
	return fields * (size + 2) + 4;
}

enum http_field_fate http_policy_field(const struct http_policy *policy, struct span name)
{
	if (LIKELY(name.len == 0 || memchr(name.at, '_', name.len) == NULL))
		return HTTP_FIELD_KEEP;
	switch (policy->header_map) {
	case HTTP_MAP_DANGEROUS:
		return HTTP_FIELD_KEEP;
	case HTTP_MAP_REFUSE:
		return HTTP_FIELD_REFUSE;
	case HTTP_MAP_DROP:
		break;
	}
	return HTTP_FIELD_DROP;
}
