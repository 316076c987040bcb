/* SPDX-License-Identifier: MIT */
/*
 * output.c - bytes on their way to a client.
 *
 * Called by exchange.c. Never waits; knows nothing of HTTP.
 */
#include "base/base.h"

#include "worker/output.h"

#include "worker/wire.h"

enum {
	COPY_MAX = 4096,       /* up to here copying is cheaper than another iovec */
	GATHER_MAX = 16384,    /* gathered small pieces; beyond, they go by reference too */
	KEEP_BYTES = 32768,    /* memory that an idle buffer may keep */
};

struct buf *output_tail(struct output *output)
{
	return output->big != NULL ? &output->after : &output->before;
}

bool output_is_full(const struct output *output)
{
	return output->big != NULL || output->before.len - output->before_at > GATHER_MAX;
}

void output_add(struct output *output, PyObject *bytes, size_t len)
{
	const char *at = PyBytes_AS_STRING(bytes);

	if (len <= COPY_MAX || output->big != NULL) {
		buf_add(output_tail(output), at, len);
		return;
	}
	Py_INCREF(bytes);
	output->big = bytes;
	output->rest = span_of(at, len);
}

size_t output_pending(const struct output *output)
{
	return output->before.len - output->before_at + output->rest.len + output->after.len - output->after_at;
}

bool output_is_empty(const struct output *output)
{
	return output_pending(output) == 0;
}

static size_t take(size_t *sent, size_t pending)
{
	const size_t part = MIN(*sent, pending);

	*sent -= part;
	return part;
}

static void advance(struct output *output, size_t sent)
{
	size_t part;

	output->before_at += take(&sent, output->before.len - output->before_at);
	part = take(&sent, output->rest.len);
	if (part > 0)
		output->rest = span_of(output->rest.at + part, output->rest.len - part);
	output->after_at += take(&sent, output->after.len - output->after_at);
}

static void add_part(struct iovec *parts, size_t *count, const char *at, size_t size)
{
	if (size > 0)
		parts[(*count)++] = (struct iovec){ (void *)(uintptr_t)at, size };
}

static ssize_t send_now(const struct output *output, struct conn *conn)
{
	struct iovec parts[WIRE_PARTS_MAX];
	size_t count = 0;

	if (output->before.len > output->before_at)
		add_part(parts, &count, output->before.data + output->before_at, output->before.len - output->before_at);
	add_part(parts, &count, output->rest.at, output->rest.len);
	if (output->after.len > output->after_at)
		add_part(parts, &count, output->after.data + output->after_at, output->after.len - output->after_at);
	return wire_send(conn, parts, count);
}

int output_flush(struct output *output, struct conn *conn, size_t *ret_sent)
{
	*ret_sent = 0;
	while (!output_is_empty(output)) {
		const ssize_t sent = send_now(output, conn);

		if (sent < 0)
			return (int)sent;
		*ret_sent += (size_t)sent;
		advance(output, (size_t)sent);
	}
	output_clear(output);
	return wire_flush(conn);
}

static void shrink(struct buf *buf)
{
	if (buf->cap > KEEP_BYTES)
		buf_release(buf);
	buf_clear(buf);
}

void output_clear(struct output *output)
{
	shrink(&output->before);
	shrink(&output->after);
	output->before_at = output->after_at = 0;
	output->rest = SPAN_NONE;
	Py_CLEAR(output->big);
}

void output_release(struct output *output)
{
	output_clear(output);
	buf_release(&output->before);
	buf_release(&output->after);
}
