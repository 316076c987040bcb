/* SPDX-License-Identifier: MIT */
/*
 * error.c - what is answered to refused requests: status, sentence, page.
 *
 * Called by worker/request.c and worker/exchange.c. The words are gunicorn's, since log parsers know them.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

/* How the quoted culprit is put. */
enum quote { QUOTE_NONE, QUOTE_CULPRIT, QUOTE_VERSION, QUOTE_LIMIT };

static const struct {
	const char *name;
	int status;
	const char *cause;
	enum quote quote;
	const char *title;
} results[HTTP_RESULT_MAX] = {
#define RESULT(id, name, status, cause, quote, title) [HTTP_##id] = { name, status, cause, quote, title },
#include "http/result.def"
#undef RESULT
};

int http_error_status(enum http_result result)
{
	return results[result].status;
}

/* gunicorn has no "Not Implemented": its 501 is a "Bad Request". */
const char *http_error_reason(enum http_result result)
{
	switch (results[result].status) {
	case 200:
		return "OK";
	case 414:
		return "URI Too Long";
	case 417:
		return "Expectation Failed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Bad Request";
	}
}

const char *http_result_name(enum http_result result)
{
	return results[result].name;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* gunicorn: a version that is one, but not ours, is quoted as the pair that it has made of it. */
static bool is_version(struct span text)
{
	return text.len == 8 && span_starts_with(text, SPAN_LIT("HTTP/")) && is_digit(text.at[5]) && text.at[6] == '.' &&
	       is_digit(text.at[7]);
}

void http_error_cause(enum http_result result, const struct http_request *request, struct buf *text)
{
	const size_t begin = text->len + strlen(results[result].cause);

	buf_add_str(text, results[result].cause);
	if (results[result].quote == QUOTE_VERSION && is_version(request->culprit))
		buf_addf(text, "(%c, %c)", request->culprit.at[5], request->culprit.at[7]);
	else if (results[result].quote == QUOTE_CULPRIT || results[result].quote == QUOTE_VERSION)
		http_write_repr(request->culprit, text);
	else if (results[result].quote == QUOTE_LIMIT)
		buf_addf(text, "(%zu > %zu)", request->limit + 1, request->limit);
	for (size_t i = begin; request->is_culprit_name && i < text->len; i++)
		text->data[i] = http_to_upper(text->data[i]);
}

void http_error_text(enum http_result result, const struct http_request *request, struct buf *text)
{
	const char *title = results[result].title;

	if (title != NULL) {
		buf_add_str(text, title);
		buf_add_str(text, " '");
	}
	http_error_cause(result, request, text);
	if (title != NULL)
		buf_add_byte(text, '\'');
}

/* gunicorn: html.escape(), quotes too. */
static void add_escaped(struct buf *page, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.at[i]) {
		case '&':
			buf_add_str(page, "&amp;");
			break;
		case '<':
			buf_add_str(page, "&lt;");
			break;
		case '>':
			buf_add_str(page, "&gt;");
			break;
		case '"':
			buf_add_str(page, "&quot;");
			break;
		case '\'':
			buf_add_str(page, "&#x27;");
			break;
		default:
			buf_add_byte(page, text.at[i]);
		}
	}
}

void http_error_page(int status, const char *reason, struct span text, struct buf *page)
{
	struct buf body = BUF_NONE;

	buf_addf(&body, "<html>\n  <head>\n    <title>%s</title>\n  </head>\n", reason);
	buf_addf(&body, "  <body>\n    <h1><p>%s</p></h1>\n    ", reason);
	add_escaped(&body, text);
	buf_add_str(&body, "\n  </body>\n</html>\n");

	buf_addf(page, "HTTP/1.1 %d %s\r\n", status, reason);
	buf_addf(page, "Connection: close\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n\r\n", body.len);
	buf_add_span(page, buf_span(&body));
	buf_release(&body);
}
