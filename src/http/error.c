/* SPDX-License-Identifier: MIT */
/*
 * error.c - what is answered to refused requests: status, sentence, page.
 *
 * Called by worker/conn.c. The words are gunicorn's (errors.py, base.py handle_error()), since log parsers know them.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

/* How the quoted culprit is put. */
enum quote { QUOTE_NONE, QUOTE_CULPRIT, QUOTE_LIMIT };

static const struct {
	const char *name;
	int status;
	const char *reason;
	const char *cause;   /* gunicorn: str(exception) */
	enum quote quote;    /* what follows the cause */
	const char *page[2]; /* what surrounds the cause in the error page */
} results[HTTP_RESULT_MAX] = {
	[HTTP_DONE] = { "done", 200, "OK", "", QUOTE_NONE, { "", "" } },
	[HTTP_MORE] = { "more", 400, "Bad Request", "", QUOTE_NONE, { "", "" } },
	[HTTP_BAD_REQUEST_LINE] = { "bad_request_line", 400, "Bad Request", "Invalid HTTP request line: ", QUOTE_CULPRIT,
		                    { "Invalid Request Line '", "'" } },
	[HTTP_BAD_METHOD] = { "bad_method", 400, "Bad Request", "Invalid HTTP method: ", QUOTE_CULPRIT, { "Invalid Method '", "'" } },
	[HTTP_BAD_TARGET] = { "bad_target", 400, "Bad Request", "Invalid HTTP request line: ", QUOTE_CULPRIT,
		              { "Invalid Request Line '", "'" } },
	[HTTP_BAD_VERSION] = { "bad_version", 400, "Bad Request", "Invalid HTTP Version: ", QUOTE_CULPRIT,
		               { "Invalid HTTP Version '", "'" } },
	[HTTP_LINE_TOO_LONG] = { "line_too_long", 400, "Bad Request", "Request Line is too large ", QUOTE_LIMIT, { "", "" } },
	[HTTP_BAD_HEADER_NAME] = { "bad_header_name", 400, "Bad Request", "Invalid HTTP header name: ", QUOTE_CULPRIT, { "", "" } },
	[HTTP_BAD_HEADER] = { "bad_header", 400, "Bad Request", "Invalid HTTP Header: ", QUOTE_CULPRIT, { "", "" } },
	[HTTP_OBSOLETE_FOLDING] = { "obsolete_folding", 400, "Bad Request", "Obsolete line folding is unacceptable: ", QUOTE_CULPRIT,
		                    { "", "" } },
	[HTTP_TOO_MANY_HEADERS] = { "too_many_headers", 431, "Request Header Fields Too Large", "limit request headers fields",
		                    QUOTE_NONE, { "Error parsing headers: '", "'" } },
	[HTTP_HEADER_TOO_LONG] = { "header_too_long", 431, "Request Header Fields Too Large", "limit request headers fields size",
		                   QUOTE_NONE, { "Error parsing headers: '", "'" } },
	[HTTP_BAD_HOST] = { "bad_host", 400, "Bad Request", "Invalid HTTP Header: ", QUOTE_CULPRIT, { "", "" } },
	[HTTP_BAD_CONTENT_LENGTH] = { "bad_content_length", 400, "Bad Request", "Invalid HTTP Header: ", QUOTE_CULPRIT, { "", "" } },
	[HTTP_BAD_TRANSFER_ENCODING] = { "bad_transfer_encoding", 400, "Bad Request", "Invalid HTTP Header: ", QUOTE_CULPRIT,
		                         { "", "" } },
	[HTTP_UNSUPPORTED_TRANSFER_CODING] = { "unsupported_transfer_coding", 501, "Bad Request", "Unsupported transfer coding: ",
		                               QUOTE_CULPRIT, { "", "" } },
	[HTTP_BAD_EXPECT] = { "bad_expect", 417, "Expectation Failed", "Unable to comply with expectation: ", QUOTE_CULPRIT,
		              { "", "" } },
	[HTTP_BAD_CHUNK] = { "bad_chunk", 400, "Bad Request", "Invalid chunk", QUOTE_NONE, { "", "" } },
	[HTTP_BAD_TRAILER] = { "bad_trailer", 400, "Bad Request", "Invalid trailer field", QUOTE_NONE, { "", "" } },
};

int http_error_status(enum http_result result)
{
	return results[result].status;
}

const char *http_error_reason(enum http_result result)
{
	return results[result].reason;
}

const char *http_result_name(enum http_result result)
{
	return results[result].name;
}

void http_error_cause(enum http_result result, const struct http_request *request, struct buf *text)
{
	buf_add_str(text, results[result].cause);
	if (results[result].quote == QUOTE_CULPRIT)
		http_write_repr(request->culprit, text);
	else if (results[result].quote == QUOTE_LIMIT)
		buf_addf(text, "(%zu > %zu)", request->limit + 1, request->limit);
}

void http_error_text(enum http_result result, const struct http_request *request, struct buf *text)
{
	buf_add_str(text, results[result].page[0]);
	http_error_cause(result, request, text);
	buf_add_str(text, results[result].page[1]);
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
