/* SPDX-License-Identifier: MIT */
/*
 * request.c - one request: its memory, and what its fields say together.
 *
 * Framing is decided here and nowhere else (RFC 9112 section 6). Called by parse.c once the head is complete. When two
 * readings are possible the request is refused, whatever gunicorn would guess.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

#define FIRST_FIELDS (32)
#define KEPT_FIELDS  (64) /* more than browsers and proxies send together */

void http_request_init(struct http_request *request)
{
	*request = (struct http_request){ .fields = NULL };
}

void http_request_reset(struct http_request *request)
{
	struct http_field *fields = request->fields;
	size_t cap = request->field_cap;

	/* An idle connection shall not hold for long what one request of it needed. */
	if (UNLIKELY(cap > KEPT_FIELDS)) {
		free(fields);
		fields = NULL;
		cap = 0;
	}
	*request = (struct http_request){ .fields = fields, .field_cap = cap };
}

void http_request_release(struct http_request *request)
{
	free(request->fields);
	http_request_init(request);
}

struct http_field *http_request_add_field(struct http_request *request)
{
	if (UNLIKELY(request->field_count == request->field_cap)) {
		/* Bounded by limit_request_fields, so this is no allocation of the client's choice. */
		size_t cap = request->field_cap > 0 ? request->field_cap * 2 : FIRST_FIELDS;
		request->fields = xrealloc(request->fields, cap * sizeof(*request->fields));
		request->field_cap = cap;
	}
	return &request->fields[request->field_count++];
}

void http_request_put_field(struct http_request *request, struct span name, struct span value)
{
	*http_request_add_field(request) = (struct http_field){ .name = name, .value = value, .id = http_field_id(name) };
}

static void rebase_span(struct span *span, uintptr_t old_data, size_t size, const char *new_data)
{
	uintptr_t at = (uintptr_t)span->at;

	/* Not all point into the data: some are ours, as the "/" of an empty path. */
	if (span->at != NULL && at >= old_data && at - old_data <= size)
		span->at = new_data + (at - old_data);
}

void http_request_rebase(struct http_request *request, const char *old_data, const char *new_data)
{
	uintptr_t old = (uintptr_t)old_data; /* that memory may be gone: its address is all that counts */
	size_t size = MAX(request->head_bytes, request->seen);

	if (old_data == new_data)
		return;
	rebase_span(&request->method, old, size, new_data);
	rebase_span(&request->target, old, size, new_data);
	rebase_span(&request->path, old, size, new_data);
	rebase_span(&request->query, old, size, new_data);
	rebase_span(&request->host, old, size, new_data);
	rebase_span(&request->culprit, old, size, new_data);
	for (size_t i = 0; i < request->field_count; i++) {
		rebase_span(&request->fields[i].name, old, size, new_data);
		rebase_span(&request->fields[i].value, old, size, new_data);
	}
	request->base = new_data;
}

/* ---- what the fields say together ---- */

struct field_facts {
	struct http_field *host;
	const struct http_field *content_length;
	bool has_content_type;
	bool has_transfer_encoding;
	bool is_chunked; /* the last transfer coding seen is "chunked" */
	bool has_other_coding;
	struct span other_coding; /* the value of that field */
	bool has_close, has_keep_alive, has_upgrade_option, has_upgrade;
};

static enum http_result refuse(struct http_request *request, enum http_result result, struct span culprit)
{
	request->culprit = culprit;
	return result;
}

static bool is_after_1_0(const struct http_request *request)
{
	return request->version_major > 1 || (request->version_major == 1 && request->version_minor > 0);
}

static void note_connection(struct field_facts *facts, struct span value)
{
	struct span option;

	while (span_split(&value, ',', &option)) {
		option = span_trim(option, " \t");
		if (span_equals_nocase(option, SPAN_LIT("close")))
			facts->has_close = true;
		else if (span_equals_nocase(option, SPAN_LIT("keep-alive")))
			facts->has_keep_alive = true;
		else if (span_equals_nocase(option, SPAN_LIT("upgrade")))
			facts->has_upgrade_option = true;
	}
}

/* False: nonsense that some other server might take for "chunked" - or not. */
static bool note_codings(struct field_facts *facts, struct span value)
{
	const struct span whole = value;
	struct span coding;

	facts->has_transfer_encoding = true;
	if (value.len == 0)
		return false;
	while (span_split(&value, ',', &coding)) {
		coding = span_trim(coding, " \t");
		/* Parameters, empty elements; something behind "chunked", be it "chunked" again. */
		if (!http_is_token(coding) || facts->is_chunked)
			return false;
		if (span_equals_nocase(coding, SPAN_LIT("chunked")))
			facts->is_chunked = true;
		else
			facts->has_other_coding = true;
	}
	if (facts->has_other_coding && facts->other_coding.at == NULL)
		facts->other_coding = whole;
	return true;
}

static enum http_result note_field(struct http_request *request, struct http_field *field, struct field_facts *facts)
{
	switch (field->id) {
	case HTTP_FIELD_HOST:
		if (facts->host != NULL || !http_is_authority(field->value))
			return refuse(request, HTTP_BAD_HOST, SPAN_LIT("HOST"));
		facts->host = field;
		break;
	case HTTP_FIELD_CONTENT_LENGTH:
		/* Equal ones too (RFC 9110 8.6 leaves the choice): who sends two is confused or an attacker. */
		if (facts->content_length != NULL)
			return refuse(request, HTTP_BAD_CONTENT_LENGTH, SPAN_LIT("CONTENT-LENGTH"));
		facts->content_length = field;
		break;
	case HTTP_FIELD_TRANSFER_ENCODING:
		if (!note_codings(facts, field->value))
			return refuse(request, HTTP_BAD_TRANSFER_ENCODING, SPAN_LIT("TRANSFER-ENCODING"));
		break;
	case HTTP_FIELD_CONTENT_TYPE:
		if (facts->has_content_type)
			return refuse(request, HTTP_BAD_HEADER, SPAN_LIT("CONTENT-TYPE"));
		facts->has_content_type = true;
		break;
	case HTTP_FIELD_CONNECTION:
		note_connection(facts, field->value);
		break;
	case HTTP_FIELD_UPGRADE:
		facts->has_upgrade = true;
		break;
	case HTTP_FIELD_EXPECT:
		/* RFC 9110 10.1.1: ignored in a 1.0 request. */
		if (!is_after_1_0(request))
			break;
		if (!span_equals_nocase(field->value, SPAN_LIT("100-continue")))
			return refuse(request, HTTP_BAD_EXPECT, field->value);
		request->expect_continue = true;
		break;
	default:
		break;
	}
	return HTTP_DONE;
}

static enum http_result decide_framing(struct http_request *request, const struct field_facts *facts)
{
	if (facts->has_transfer_encoding) {
		/* RFC 9112 6.1: in a 1.0 message, or beside a Content-Length, framing is faulty. */
		if (!is_after_1_0(request))
			return refuse(request, HTTP_BAD_TRANSFER_ENCODING, SPAN_LIT("TRANSFER-ENCODING"));
		if (facts->content_length != NULL)
			return refuse(request, HTTP_BAD_CONTENT_LENGTH, SPAN_LIT("CONTENT-LENGTH"));
		if (facts->has_other_coding || !facts->is_chunked)
			return refuse(request, HTTP_UNSUPPORTED_TRANSFER_CODING, facts->other_coding);
		request->body_kind = HTTP_BODY_CHUNKED;
		return HTTP_DONE;
	}
	if (facts->content_length != NULL) {
		uint64_t length;
		if (!span_to_u64(facts->content_length->value, &length) || length > INT64_MAX)
			return refuse(request, HTTP_BAD_CONTENT_LENGTH, SPAN_LIT("CONTENT-LENGTH"));
		request->content_length = length;
		request->body_kind = length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	}
	return HTTP_DONE;
}

enum http_result http_request_finish(struct http_request *request, const struct http_policy *policy)
{
	struct field_facts facts = { .host = NULL };

	for (size_t i = 0; i < request->field_count; i++) {
		enum http_result result = note_field(request, &request->fields[i], &facts);
		if (result != HTTP_DONE)
			return result;
	}
	/* RFC 9112 3.2. */
	if (facts.host == NULL && is_after_1_0(request) && !policy->permit_missing_host)
		return refuse(request, HTTP_BAD_HOST, SPAN_LIT("HOST"));
	/* RFC 9112 3.2.2: Host is to be ignored when the target names another one. Nobody behind us shall see two. */
	if (facts.host != NULL && request->host.at != NULL)
		facts.host->value = request->host;
	else if (facts.host != NULL)
		request->host = facts.host->value;

	request->keep_alive = !facts.has_close && (facts.has_keep_alive || is_after_1_0(request));
	request->wants_upgrade = facts.has_upgrade && facts.has_upgrade_option && is_after_1_0(request);
	return decide_framing(request, &facts);
}
