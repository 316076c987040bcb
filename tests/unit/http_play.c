/* SPDX-License-Identifier: MIT */
/*
 * http_play.c - see http_play.h.
 */
#include "base/base.h"
#include "http_play.h"

#include <arpa/inet.h>

static void write_quoted(const char *label, struct span value, struct buf *text)
{
	buf_addf(text, "%s \"", label);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char byte = (unsigned char)value.at[i];
		if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\')
			buf_addf(text, "\\x%02x", byte);
		else
			buf_add_byte(text, (char)byte);
	}
	buf_add_str(text, "\"\n");
}

void play_write_done(const struct play_facts *facts, struct buf *text)
{
	buf_add_str(text, "done\n");
	write_quoted("  method", facts->method, text);
	write_quoted("  target", facts->target, text);
	write_quoted("  path", facts->path, text);
	write_quoted("  query", facts->query, text);
	write_quoted("  host", facts->host, text);
	buf_addf(text, "  version %d.%d\n", facts->version_major, facts->version_minor);
	buf_addf(text, "  keep_alive %d expect_continue %d wants_upgrade %d\n", facts->keep_alive, facts->expect_continue,
	         facts->wants_upgrade);
	write_quoted("  body", facts->body, text);
}

void play_write_field(struct span name, struct span value, struct buf *text)
{
	write_quoted("  field", name, text);
	write_quoted("    is", value, text);
}

void play_write_proxy(const struct play_proxy_facts *facts, struct buf *text)
{
	buf_addf(text, "proxy %s\n", facts->family);
	if (facts->source != NULL)
		buf_addf(text, "  from %s %u to %s %u\n", facts->source, facts->source_port, facts->destination,
		         facts->destination_port);
}

void play_write_refused(const char *outcome, int status, struct buf *text)
{
	buf_addf(text, "%s\n  status %d\n", outcome, status);
}

void play_write_more(size_t leftover, struct buf *text)
{
	buf_addf(text, "more\n  leftover %zu\n", leftover);
}

void play_init(struct play *play, const struct http_policy *policy)
{
	*play = (struct play){ .policy = policy };
	http_request_init(&play->request);
}

void play_release(struct play *play)
{
	free(play->bytes);
	free(play->head);
	http_request_release(&play->request);
	buf_release(&play->payload);
	buf_release(&play->text);
}

/* The bytes from `from` on, in new memory of exactly their size, with `more` behind them. */
static void move_bytes(struct play *play, size_t from, const char *more, size_t more_len)
{
	size_t kept = play->len - from;
	char *bytes = xmalloc(kept + more_len);

	if (kept > 0)
		memcpy(bytes, play->bytes + from, kept);
	if (more_len > 0)
		memcpy(bytes + kept, more, more_len);
	free(play->bytes);
	play->bytes = bytes;
	play->len = kept + more_len;
}

static void note_refused(struct play *play, enum http_result result)
{
	struct buf page = BUF_NONE;
	struct buf cause = BUF_NONE;

	/* The text must be possible for whatever was refused, wherever the bytes are. */
	http_error_text(result, &play->request, &cause);
	http_error_page(http_error_status(result), http_error_reason(result), buf_span(&cause), &page);
	play_write_refused(http_result_name(result), http_error_status(result), &play->text);
	buf_add_str(&play->text, "  text ");
	buf_add_span(&play->text, buf_span(&cause));
	buf_add_byte(&play->text, '\n');
	play->is_refused = true;
	buf_release(&cause);
	buf_release(&page);
}

static void note_done(struct play *play)
{
	const struct http_request *request = &play->request;
	struct play_facts facts = {
		.method = request->method,
		.target = request->target,
		.path = request->path,
		.query = request->query,
		.host = request->host,
		.body = buf_span(&play->payload),
		.version_major = request->version_major,
		.version_minor = request->version_minor,
		.keep_alive = request->keep_alive,
		.expect_continue = request->expect_continue,
		.wants_upgrade = request->wants_upgrade,
	};

	play->done_count++;
	play_write_done(&facts, &play->text);
	for (size_t i = 0; i < request->field_count; i++)
		play_write_field(request->fields[i].name, request->fields[i].value, &play->text);
}

/* Version 1 gives the text as it came: whether it is an address is the worker's question. */
static const char *address_text(const struct proxyproto *header, const struct proxyproto_end *end, char *into)
{
	if (header->version == 1)
		return end->text;
	return inet_ntop(header->family == PROXYPROTO_TCP4 ? AF_INET : AF_INET6, end->address, into, INET6_ADDRSTRLEN);
}

static void note_proxy(struct play *play, const struct proxyproto *header)
{
	static const char *const names[] = {
		[PROXYPROTO_LOCAL] = "LOCAL",
		[PROXYPROTO_UNKNOWN] = "UNKNOWN",
		[PROXYPROTO_TCP4] = "TCP4",
		[PROXYPROTO_TCP6] = "TCP6",
	};
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	struct play_proxy_facts facts = { .family = names[header->family] };

	if (header->family == PROXYPROTO_TCP4 || header->family == PROXYPROTO_TCP6) {
		facts.source = address_text(header, &header->source, source);
		facts.source_port = header->source.port;
		facts.destination = address_text(header, &header->destination, destination);
		facts.destination_port = header->destination.port;
	}
	play_write_proxy(&facts, &play->text);
}

/* True when what follows is HTTP. */
static bool step_proxy(struct play *play)
{
	struct proxyproto header;

	switch (proxyproto_parse(play->proxy_mode, play->bytes, play->len, &header)) {
	case PROXYPROTO_MORE:
		return false;
	case PROXYPROTO_DONE:
		note_proxy(play, &header);
		move_bytes(play, header.header_bytes, NULL, 0);
		play->is_behind_proxy = true;
		return true;
	case PROXYPROTO_ABSENT:
	case PROXYPROTO_BAD:
		break;
	}
	play_write_refused("bad_proxy_header", 400, &play->text);
	play->is_refused = true;
	return false;
}

/* True when a head was taken. */
static bool step_head(struct play *play)
{
	enum http_result result = http_request_parse(&play->request, play->policy, play->bytes, play->len);

	if (result == HTTP_MORE)
		return false;
	if (result != HTTP_DONE) {
		note_refused(play, result);
		return false;
	}
	size_t size = play->request.head_bytes;
	play->head = xmalloc(size);
	memcpy(play->head, play->bytes, size);
	http_request_rebase(&play->request, play->bytes, play->head);
	move_bytes(play, size, NULL, 0);
	http_body_init(&play->body, &play->request, play->policy);
	play->is_in_body = true;
	return true;
}

/* True when the body ended. */
static bool step_body(struct play *play)
{
	size_t used = 0;
	enum http_result result = HTTP_MORE;

	for (;;) {
		size_t now;
		struct span piece;
		result = http_body_read(&play->body, play->bytes + used, play->len - used, &now, &piece);
		if (piece.len > 0)
			buf_add_span(&play->payload, piece);
		used += now;
		if (result != HTTP_MORE || used == play->len)
			break;
	}
	if (result != HTTP_DONE && result != HTTP_MORE) {
		note_refused(play, result);
		return false;
	}
	move_bytes(play, used, NULL, 0);
	if (result == HTTP_MORE)
		return false;
	note_done(play);
	free(play->head);
	play->head = NULL;
	buf_clear(&play->payload);
	http_request_reset(&play->request);
	play->is_in_body = false;
	return true;
}

void play_feed(struct play *play, const char *data, size_t len)
{
	if (play->is_refused)
		return;
	move_bytes(play, 0, data, len);
	if (play->proxy_mode != PROXYPROTO_OFF && !play->is_behind_proxy && !step_proxy(play))
		return;
	for (;;) {
		if (!play->is_in_body && !step_head(play))
			return;
		if (!step_body(play))
			return;
	}
}

void play_finish(struct play *play)
{
	if (play->is_refused)
		return;
	if (play->is_in_body || play->len > 0 || play->done_count == 0)
		play_write_more(play->len, &play->text);
}
