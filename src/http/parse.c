/* SPDX-License-Identifier: MIT */
/*
 * parse.c - the head of a request, line by line.
 *
 * Called with all bytes so far each time more of them came. A line is looked at once, when its LF is there; before that only
 * its length and its first byte count, by the same rules and in the same order, so that no split of the bytes changes the
 * outcome.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

enum parse_state { PARSE_REQUEST_LINE, PARSE_FIELDS, PARSE_ENDED };

static enum http_result refuse(struct http_request *request, enum http_result result, const char *at, size_t len)
{
	request->culprit = span_of(at, len);
	return result;
}

static enum http_result refuse_value(struct http_request *request, enum http_result result, struct span name)
{
	request->culprit = name;
	request->is_culprit_name = true;
	return result;
}

static enum http_result refuse_size(struct http_request *request, enum http_result result, size_t limit)
{
	request->limit = limit;
	return result;
}

/* ---- the request line ---- */

static bool is_good_method(struct span method, const struct http_policy *policy)
{
	if (!http_is_token(method))
		return false;
	/* CONNECT asks for a tunnel: a WSGI server is no proxy. */
	if (span_equals_nocase(method, SPAN_LIT("CONNECT")))
		return false;
	if (policy->permit_unconventional_method)
		return true;
	if (method.len < 3 || method.len > 20)
		return false;
	for (size_t i = 0; i < method.len; i++)
		if (http_byte_is(method.at[i], HTTP_BYTE_LOWER) || method.at[i] == '#')
			return false;
	return true;
}

/* "HTTP/d.d". gunicorn: 1.0 to 1.9, anything when permitted. */
static bool parse_version(struct http_request *request, const char *at, size_t len, const struct http_policy *policy)
{
	if (len != 8 || memcmp(at, "HTTP/", 5) != 0 || at[6] != '.')
		return false;
	if (at[5] < '0' || at[5] > '9' || at[7] < '0' || at[7] > '9')
		return false;
	request->version_major = at[5] - '0';
	request->version_minor = at[7] - '0';
	return request->version_major == 1 || policy->permit_unconventional_version;
}

static enum http_result parse_request_line(struct http_request *request, const struct http_policy *policy, char *line,
                                           size_t len)
{
	char *end = line + len;
	char *target = memchr(line, ' ', len);
	char *version = target != NULL ? memchr(target + 1, ' ', (size_t)(end - target) - 1) : NULL;

	if (version == NULL)
		return refuse(request, HTTP_BAD_REQUEST_LINE, line, len);
	request->method = span_of(line, (size_t)(target - line));
	target++;
	request->target = span_of(target, (size_t)(version - target));
	version++;

	if (!is_good_method(request->method, policy))
		return refuse(request, HTTP_BAD_METHOD, line, request->method.len);
	if (policy->casefold_method)
		for (char *byte = line; *byte != ' '; byte++)
			if (http_byte_is(*byte, HTTP_BYTE_LOWER))
				*byte = (char)(*byte - 0x20);
	if (http_target_parse(request) != HTTP_DONE)
		return refuse(request, HTTP_BAD_TARGET, line, len);
	if (!parse_version(request, version, (size_t)(end - version), policy))
		return refuse(request, HTTP_BAD_VERSION, version, (size_t)(end - version));
	return HTTP_DONE;
}

/* ---- field lines ---- */

static struct span trim_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return span_of(at, (size_t)(end - at));
}

static enum http_result refuse_field(struct http_request *request, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	if (colon == NULL || colon == line)
		return refuse(request, HTTP_BAD_HEADER, line, len);
	return refuse(request, HTTP_BAD_HEADER_NAME, line, (size_t)(colon - line));
}

static enum http_result parse_field(struct http_request *request, const struct http_policy *policy, const char *line,
                                    size_t len)
{
	const char *end = line + len;
	const char *at = line;

	while (at < end && http_byte_is(*at, HTTP_BYTE_TOKEN))
		at++;
	struct span name = span_of(line, (size_t)(at - line));
	if (policy->strip_header_spaces)
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
	if (name.len == 0 || at == end || *at != ':')
		return refuse_field(request, line, len);

	struct span value = trim_blanks(at + 1, end);
	if (!http_is_field_value(value))
		return refuse_value(request, HTTP_BAD_HEADER, name);
	if (request->field_count >= policy->limit_request_fields)
		return refuse_size(request, HTTP_TOO_MANY_HEADERS, policy->limit_request_fields);
	*http_request_add_field(request) = (struct http_field){ .name = name, .value = value, .id = http_field_id(name) };
	return HTTP_DONE;
}

/* Obsolete folding, permitted: the value goes on after one space, moved next to its beginning. */
static enum http_result unfold(struct http_request *request, char *data, const char *line, size_t len)
{
	struct http_field *field = &request->fields[request->field_count - 1];
	struct span more = trim_blanks(line, line + len);

	if (!http_is_field_value(more))
		return refuse_value(request, HTTP_BAD_HEADER, field->name);
	if (more.len == 0)
		return HTTP_DONE;
	/* The CRLF and the blanks in front of `more` make room for the space. */
	char *to = data + (field->value.at - data) + field->value.len;
	if (field->value.len > 0) {
		*to++ = ' ';
		field->value.len++;
	}
	memmove(to, more.at, more.len);
	field->value.len += more.len;
	return HTTP_DONE;
}

/* ---- lines ---- */

/* What is wrong already with the first byte of a line: bytes that are no HTTP at all (TLS, an empty line), folding. */
static enum http_result check_first_byte(struct http_request *request, const struct http_policy *policy, const char *line)
{
	if (request->state == PARSE_REQUEST_LINE) {
		if (!http_byte_is(*line, HTTP_BYTE_TOKEN))
			return refuse(request, HTTP_BAD_REQUEST_LINE, line, 1);
	} else if (*line == ' ' || *line == '\t') {
		if (request->field_count == 0)
			return refuse(request, HTTP_BAD_HEADER, line, 1);
		if (!policy->permit_obsolete_folding) {
			const struct http_field *field = &request->fields[request->field_count - 1];
			return refuse_value(request, HTTP_OBSOLETE_FOLDING, field->name);
		}
	}
	return HTTP_DONE;
}

/* `size`: bytes of the line so far, without CRLF. Not all of it need be there. */
static enum http_result check_size(struct http_request *request, const struct http_policy *policy, const char *line,
                                   size_t size)
{
	if (request->state == PARSE_REQUEST_LINE) {
		if (size > policy->limit_request_line)
			return refuse_size(request, HTTP_LINE_TOO_LONG, policy->limit_request_line);
		return HTTP_DONE;
	}
	if (size == 0)
		return HTTP_DONE;
	size_t field_bytes = size + 2 + (*line == ' ' || *line == '\t' ? request->field_bytes : 0);
	size_t head_limit = policy->limit_request_line + 2 + http_policy_head_limit(policy);
	if (field_bytes > policy->limit_request_field_size || request->line_start + size + 2 > head_limit)
		return refuse_size(request, HTTP_HEADER_TOO_LONG, policy->limit_request_field_size);
	return HTTP_DONE;
}

static enum http_result take_line(struct http_request *request, const struct http_policy *policy, char *data, char *line,
                                  size_t size)
{
	if (request->state == PARSE_REQUEST_LINE) {
		request->state = PARSE_FIELDS;
		return parse_request_line(request, policy, line, size);
	}
	if (size == 0) {
		request->state = PARSE_ENDED;
		request->head_bytes = request->line_start + 2;
		return http_request_finish(request, policy);
	}
	if (*line == ' ' || *line == '\t') {
		request->field_bytes += size + 2;
		return unfold(request, data, line, size);
	}
	request->field_bytes = size + 2;
	return parse_field(request, policy, line, size);
}

enum http_result http_request_parse(struct http_request *request, const struct http_policy *policy, char *data, size_t len)
{
	if (request->base != data) {
		if (request->base != NULL)
			http_request_rebase(request, request->base, data);
		request->base = data;
	}
	while (request->state != PARSE_ENDED) {
		char *line = data + request->line_start;
		if (request->line_start >= len)
			return HTTP_MORE;
		enum http_result result = check_first_byte(request, policy, line);
		if (UNLIKELY(result != HTTP_DONE))
			return result;

		const char *lf = memchr(data + request->seen, '\n', len - request->seen);
		request->seen = lf != NULL ? (size_t)(lf - data) : len;
		size_t size = request->seen - request->line_start;
		bool has_cr = size > 0 && line[size - 1] == '\r';
		size -= has_cr;
		result = check_size(request, policy, line, size);
		if (UNLIKELY(result != HTTP_DONE))
			return result;
		if (lf == NULL)
			return HTTP_MORE;
		/* A bare LF ends no line (RFC 9112 2.2 permits it; request smuggling loves it). */
		if (UNLIKELY(!has_cr)) {
			bool is_first = request->state == PARSE_REQUEST_LINE;
			return refuse(request, is_first ? HTTP_BAD_REQUEST_LINE : HTTP_BAD_HEADER, line, size);
		}
		result = take_line(request, policy, data, line, size);
		if (UNLIKELY(result != HTTP_DONE))
			return result;
		request->line_start = ++request->seen;
	}
	return HTTP_DONE;
}
