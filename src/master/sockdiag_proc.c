/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_proc.c - memory of TCP sockets where NETLINK_SOCK_DIAG is not there: /proc/net/tcp, tcp6, sockstat.
 *
 * Called by sockdiag.c. Never allocates, never logs.
 */
#include "base/base.h"

#include "master/sockdiag_internal.h"

#include "base/span.h"

#include "master/kernelfile.h"
#include "master/readings.h"

/* Of tcp6 they have some 180 bytes. */
enum { LINE_MAX_BYTES = 512, PAGE_MIN_BYTES = 4096 };

static bool hex_to_u32(struct span text, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (text.len == 0 || text.len > 8)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	*ret_value = value;
	return true;
}

/* Several blanks are one. */
static bool next_word(struct span *rest, struct span *ret_word)
{
	do {
		if (!span_split(rest, ' ', ret_word))
			return false;
	} while (ret_word->len == 0);
	return true;
}

/* "  0: 0100007F:1F90 0100007F:8C2E 01 TXQUEUE8:RXQUEUE8 00:00000000 ..." */
static void take_line(struct span line, struct sockdiag_reading *reading)
{
	struct span word, state_text, queues, timer, send_text;
	uint32_t state, sent, received;

	if (!next_word(&line, &word) || !next_word(&line, &word) || !next_word(&line, &word) || !next_word(&line, &state_text) ||
	    !next_word(&line, &queues) || !next_word(&line, &timer))
		return;
	if (!hex_to_u32(state_text, &state) || state > 31 || (SOCKDIAG_STATES & 1U << state) == 0)
		return;
	/* Timer 3: what is left of a closed socket, seen as FIN_WAIT2. */
	if (span_starts_with(timer, SPAN_LIT("03:")))
		return;
	if (!span_split(&queues, ':', &send_text) || !hex_to_u32(send_text, &sent) || !hex_to_u32(queues, &received))
		return;
	reading->sockets++;
	reading->send_bytes += sent;
	reading->receive_bytes += received;
}

/*
 * The kernel fills a page as long as whole lines fit. Where there was room for one more there is no more; asking for the end
 * would make it walk the table of the whole machine again, 2 milliseconds.
 */
static bool is_end(size_t len, size_t wanted)
{
	return len + LINE_MAX_BYTES <= MIN(wanted, PAGE_MIN_BYTES);
}

/* false when nothing at all could be read. Bounded by the number of lines, whatever state the sockets are in. */
static bool take_file(struct sockdiag *sockdiag, int fd, size_t *lines, struct sockdiag_reading *reading)
{
	off_t offset = 0;
	size_t kept = 0;

	while (*lines < SOCKDIAG_SOCKET_MAX) {
		size_t wanted = sizeof(sockdiag->buffer) - kept;
		ssize_t len = pread(fd, sockdiag->buffer + kept, wanted, offset);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		offset += len;

		struct span text = span_of(sockdiag->buffer, kept + (size_t)len);

		while (span_find(text, '\n') >= 0) {
			struct span line;

			(void)span_split(&text, '\n', &line);
			take_line(line, reading);
			(*lines)++;
		}
		/* A line that fills the whole buffer is none of the kernel's. */
		kept = text.len < sizeof(sockdiag->buffer) ? text.len : 0;
		memmove(sockdiag->buffer, text.at, kept);
		if (is_end((size_t)len, wanted))
			break;
	}
	return offset != 0;
}

bool sockdiag_read_proc(struct sockdiag *sockdiag, struct sockdiag_reading *reading)
{
	struct sockdiag_reading found = { .method = SOCKDIAG_PROC };
	size_t lines = 0;
	bool has_tcp = take_file(sockdiag, sockdiag->tcp, &lines, &found);
	bool has_tcp6 = take_file(sockdiag, sockdiag->tcp6, &lines, &found);

	if (!has_tcp && !has_tcp6)
		return false;
	found.memory_bytes = found.receive_bytes + found.send_bytes;
	*reading = found;
	return true;
}

/* "TCP: inuse 1 orphan 0 tw 526 alloc 1 mem 12" */
bool sockdiag_read_sockstat(struct sockdiag *sockdiag, struct sockdiag_reading *reading)
{
	struct span text, line;

	if (kernelfile_read(sockdiag->sockstat, sockdiag->buffer, sizeof(sockdiag->buffer), &text) < 0)
		return false;
	while (span_split(&text, '\n', &line)) {
		struct span word;
		uint64_t pages;

		if (!next_word(&line, &word) || !span_equals(word, SPAN_LIT("TCP:")))
			continue;
		while (next_word(&line, &word) && !span_equals(word, SPAN_LIT("mem")))
			;
		if (!next_word(&line, &word) || !span_to_u64(word, &pages) || pages > UINT64_MAX >> 16)
			return false;
		reading->method = SOCKDIAG_SOCKSTAT;
		reading->memory_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
		return true;
	}
	return false;
}
