/* SPDX-License-Identifier: MIT */
/*
 * response.c - the head of a response, and how its body is framed.
 *
 * Called by py/start_response.c and worker/respond.c. What the application says is checked here, so that no byte of it can end
 * a line or a message; framing is ours to choose (gunicorn: wsgi.py class Response).
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

/* More than all that http_response_head() writes beside its arguments. */
#define HEAD_EXTRA (160)

static const char continue_text[] = "HTTP/1.1 100 Continue\r\n\r\n";
const struct span http_continue = { continue_text, sizeof(continue_text) - 1 };

void http_response_init(struct http_response *response)
{
	*response = (struct http_response){ .version_minor = 1, .has_body = true };
}

/* Where the caller has reserved the room. */
static inline void put(struct buf *to, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(to->data + to->len, bytes.at, bytes.len);
	to->len += bytes.len;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_bodiless_status(int status)
{
	return status < 200 || status == 204 || status == 304;
}

enum http_response_result http_response_status(struct http_response *response, struct span status)
{
	if (status.len < 3 || !is_digit(status.at[0]) || !is_digit(status.at[1]) || !is_digit(status.at[2]))
		return HTTP_RESPONSE_BAD_STATUS;
	if (status.at[0] == '0' || (status.len > 3 && status.at[3] != ' ') || !http_is_field_value(status))
		return HTTP_RESPONSE_BAD_STATUS;
	response->status = (status.at[0] - '0') * 100 + (status.at[1] - '0') * 10 + (status.at[2] - '0');
	return HTTP_RESPONSE_OK;
}

/* ---- fields ---- */

static enum http_response_result note_length(struct http_response *response, struct span value)
{
	uint64_t length;

	if (!span_to_u64(value, &length) || length > INT64_MAX)
		return HTTP_RESPONSE_BAD_LENGTH;
	/* Said twice it must be said alike, and goes out once. */
	if (response->has_length)
		return response->length == length ? HTTP_RESPONSE_SKIP : HTTP_RESPONSE_BAD_LENGTH;
	/* RFC 9110 8.6: none in 1xx and 204. gunicorn drops it as well. */
	if (response->status != 0 && (response->status < 200 || response->status == 204))
		return HTTP_RESPONSE_SKIP;
	response->has_length = true;
	response->length = length;
	return HTTP_RESPONSE_OK;
}

/* gunicorn: util.py hop_headers, and wsgi.py process_headers(). */
static enum http_response_result judge_field(struct http_response *response, struct span name, struct span value)
{
	static const struct span dropped[] = {
		NAME("connection"),          NAME("keep-alive"), NAME("proxy-authenticate"),
		NAME("proxy-authorization"), NAME("te"),         NAME("trailers"),
		NAME("transfer-encoding"),   NAME("server"),     NAME("date"),
	};

	if (span_equals_nocase(name, SPAN_LIT("content-length")))
		return note_length(response, value);
	if (span_equals_nocase(name, SPAN_LIT("upgrade")))
		return span_equals_nocase(value, SPAN_LIT("websocket")) ? HTTP_RESPONSE_OK : HTTP_RESPONSE_SKIP;
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++) {
		if (!span_equals_nocase(name, dropped[i]))
			continue;
		if (i == 0 && span_equals_nocase(value, SPAN_LIT("upgrade")))
			response->has_upgrade = true;
		return HTTP_RESPONSE_SKIP;
	}
	return HTTP_RESPONSE_OK;
}

enum http_response_result http_response_field(struct http_response *response, struct span name, struct span value,
                                              struct buf *fields)
{
	if (!http_is_token(name))
		return HTTP_RESPONSE_BAD_NAME;
	if (!http_is_field_value(value))
		return HTTP_RESPONSE_BAD_VALUE;
	value = span_trim(value, " \t");
	enum http_response_result result = judge_field(response, name, value);
	if (result != HTTP_RESPONSE_OK)
		return result;
	buf_reserve(fields, name.len + value.len + 4);
	put(fields, name);
	put(fields, SPAN_LIT(": "));
	put(fields, value);
	put(fields, SPAN_LIT("\r\n"));
	return HTTP_RESPONSE_OK;
}

/* ---- the head ---- */

static void put_line(struct buf *head, struct span name, struct span value)
{
	put(head, name);
	put(head, value);
	put(head, SPAN_LIT("\r\n"));
}

/* Sets is_chunked, has_body, keep_alive. */
static void decide_framing(struct http_response *response)
{
	bool has_chunks = response->version_minor > 0; /* chunked came with 1.1 */

	response->has_body = !response->is_head && !is_bodiless_status(response->status);
	response->is_chunked = response->has_body && !response->has_length && has_chunks;
	/* Without length and chunks the end of the body is the end of the connection. After 101 it is no HTTP any more. */
	bool has_end = response->has_length || response->is_chunked || !response->has_body;
	response->keep_alive = has_end && !response->must_close && !response->has_upgrade && response->status != 101;
}

void http_response_head(struct http_response *response, struct span status, struct span server, struct span date,
                        struct span fields, struct buf *head)
{
	char version[] = "HTTP/1.0 ";

	decide_framing(response);
	/* RFC 9110 2.5: never a version that we do not know. (gunicorn echoes 1.2.) */
	version[7] = response->version_minor > 0 ? '1' : '0';
	buf_reserve(head, status.len + server.len + date.len + fields.len + HEAD_EXTRA);
	put(head, span_of(version, 9));
	/* RFC 9112 4: the space behind the code stands even without a reason. */
	put_line(head, status, status.len == 3 ? SPAN_LIT(" ") : SPAN_NONE);
	if (server.len > 0)
		put_line(head, SPAN_LIT("Server: "), server);
	put_line(head, SPAN_LIT("Date: "), date);
	if (response->has_upgrade)
		put_line(head, SPAN_LIT("Connection: "), SPAN_LIT("upgrade"));
	else
		put_line(head, SPAN_LIT("Connection: "), response->keep_alive ? SPAN_LIT("keep-alive") : SPAN_LIT("close"));
	if (response->is_chunked)
		put_line(head, SPAN_LIT("Transfer-Encoding: "), SPAN_LIT("chunked"));
	put(head, fields);
	put(head, SPAN_LIT("\r\n"));
}

size_t http_chunk_head(char *into, uint64_t size)
{
	char digits[16];
	size_t count = 0;

	do {
		digits[count++] = "0123456789ABCDEF"[size & 15];
		size >>= 4;
	} while (size > 0);
	for (size_t i = 0; i < count; i++)
		into[i] = digits[count - 1 - i];
	memcpy(into + count, "\r\n", 2);
	return count + 2;
}

size_t http_date(char *into, time_t wall)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };

	(void)gmtime_r(&wall, &tm); /* fails only for years beyond int: then it stays 1970 */
	unsigned year = (unsigned)(tm.tm_year + 1900) % 10000;
	int len = snprintf(into, 30, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * (unsigned)tm.tm_wday % 21,
	                   (unsigned)tm.tm_mday % 100, months + 3 * (unsigned)tm.tm_mon % 36, year,
	                   (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return (size_t)len;
}
