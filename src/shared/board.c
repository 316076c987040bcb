/* SPDX-License-Identifier: MIT */
/*
 * board.c - the scoreboard.
 *
 * Writers: the worker's loop, its agent and its dying words. Reader: the master, through board_read() alone, which believes
 * nothing: shared scoreboards have been a way from a worker into a master with more rights (CVE-2019-0211, CVE-2021-21703).
 */
#include "base/base.h"

#include "shared/board.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/fd.h"

#define BOARD_MAGIC 0x4c4e5747u /* "GWNL" */
#define BOARD_BYTES (sizeof(struct board_head) + BOARD_SLOTS * sizeof(struct board_line))

/* Larger counts are rubbish; and readers of the status file keep whole numbers exact up to here only. */
#define COUNT_MAX ((uint64_t)1 << 53)
/* A request entry that is claimed but not written yet. */
#define ENTRY_CLAIMED UINT64_MAX

#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

static int map(struct board *board, int fd)
{
	void *at = mmap(NULL, BOARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	board->fd = fd;
	board->head = at;
	board->lines = (void *)((char *)at + sizeof(struct board_head));
	return 0;
}

int board_create(struct board *board)
{
	*board = (struct board){ .fd = FD_NONE };
	int fd = fd_memfd("gunwale-board", BOARD_BYTES);
	if (fd < 0)
		return fd;
	int result = map(board, fd);
	if (result < 0) {
		fd_close(&fd);
		return result;
	}
	board->head->magic = BOARD_MAGIC;
	board->head->layout = BOARD_LAYOUT;
	PUT(board->head->master_pid, (uint32_t)getpid());
	return 0;
}

int board_attach(struct board *board, int fd)
{
	*board = (struct board){ .fd = FD_NONE };
	struct stat info;
	if (fstat(fd, &info) < 0)
		return -errno;
	/* Beyond the end of a shorter file there is SIGBUS. */
	if (!S_ISREG(info.st_mode) || info.st_size != (off_t)BOARD_BYTES)
		return -EPROTO;
	int result = map(board, fd);
	if (result < 0)
		return result;
	if (board->head->magic != BOARD_MAGIC || board->head->layout != BOARD_LAYOUT) {
		(void)munmap(board->head, BOARD_BYTES);
		*board = (struct board){ .fd = FD_NONE };
		return -EPROTO;
	}
	return 0;
}

void board_release(struct board *board)
{
	/* A zeroed board holds no fd, although its number reads 0. */
	if (board == NULL || board->head == NULL)
		return;
	(void)munmap(board->head, BOARD_BYTES);
	fd_close(&board->fd);
	*board = (struct board){ .fd = FD_NONE };
}

struct board_line *board_line(const struct board *board, uint32_t slot)
{
	return board->lines != NULL && slot < BOARD_SLOTS ? &board->lines[slot] : NULL;
}

void board_clear_line(struct board *board, uint32_t slot)
{
	struct board_line *line = board_line(board, slot);
	CHECK(line != NULL);
	memset((void *)line, 0, sizeof *line);
}

void board_beat(struct board_line *line, uint64_t now_ms)
{
	PUT(line->beat_ms, now_ms);
}

/* Copies what fits and terminates. Control bytes become '?', so that a reader of raw memory is safe as well. */
static void put_text(char *into, size_t size, const char *text, size_t len)
{
	size_t kept = MIN(len, size - 1);
	for (size_t i = 0; i < kept; i++)
		into[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	into[kept] = '\0';
}

void board_set_last_words(struct board_line *line, const char *text)
{
	put_text(line->last_words, sizeof line->last_words, text, strlen(text));
}

int board_request_begin(struct board_line *line, uint64_t now_ms, uint64_t rss_bytes, const char *method, size_t method_len,
                        const char *path, size_t path_len)
{
	for (int i = 0; i < BOARD_REQUESTS; i++) {
		struct board_request *request = &line->requests[i];
		uint64_t nobody = 0;
		if (GET(request->started_ms) != 0 ||
		    !atomic_compare_exchange_strong(&request->started_ms, &nobody, ENTRY_CLAIMED))
			continue;
		PUT(request->rss_start_bytes, rss_bytes);
		put_text(request->method, sizeof request->method, method, method_len);
		put_text(request->path, sizeof request->path, path, path_len);
		atomic_store_explicit(&request->started_ms, MAX(now_ms, 1), memory_order_release);
		return i;
	}
	return -1;
}

void board_request_end(struct board_line *line, int entry)
{
	if (entry < 0)
		return;
	CHECK(entry < BOARD_REQUESTS);
	atomic_store_explicit(&line->requests[entry].started_ms, 0, memory_order_release);
}

size_t board_latency_class(uint64_t duration_us)
{
	uint64_t units = duration_us >> 4; /* of 16 microseconds: a quarter of the first doubling */
	if (units < 4)
		return 0;
	unsigned doubling = 63U - (unsigned)__builtin_clzll(units) - 2;
	uint64_t quarter = (units >> doubling) & 3;
	size_t index = 1 + (size_t)doubling * 4 + (size_t)quarter;
	return MIN(index, (size_t)BOARD_LATENCIES - 1);
}

uint64_t board_latency_end_us(size_t latency_class)
{
	CHECK(latency_class < BOARD_LATENCIES);
	if (latency_class == 0)
		return 64;
	unsigned doubling = (unsigned)(latency_class - 1) / 4;
	uint64_t quarter = (latency_class - 1) % 4;
	return (16 * (4 + quarter + 1)) << doubling;
}

void board_count_latency(struct board_line *line, uint64_t duration_us)
{
	_Atomic uint64_t *count = &line->latencies[board_latency_class(duration_us)];
	PUT(*count, GET(*count) + 1);
}

void board_set_socket(struct board_socket *entry, const struct board_socket *values, const char *peer)
{
	PUT(entry->memory_bytes, 0);
	PUT(entry->unread_bytes, GET(values->unread_bytes));
	PUT(entry->unsent_bytes, GET(values->unsent_bytes));
	PUT(entry->since_ms, GET(values->since_ms));
	PUT(entry->is_client, GET(values->is_client));
	put_text(entry->peer, sizeof entry->peer, peer, strlen(peer));
	atomic_store_explicit(&entry->memory_bytes, GET(values->memory_bytes), memory_order_release);
}

void board_set_remedy(struct board_line *line, uint32_t serial, uint64_t amount, const char *text)
{
	PUT(line->agent.remedy_amount, amount);
	put_text(line->agent.remedy_text, sizeof line->agent.remedy_text, text, strlen(text));
	atomic_store_explicit(&line->agent.remedy_serial, serial, memory_order_release);
}

/* Length of the well-formed UTF-8 sequence at `at` (RFC 3629), 0 when it is none. There are `left` bytes. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
	unsigned char lead = at[0];
	if (lead < 0x80)
		return 1;
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || left < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
	if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) || (lead == 0xf0 && at[1] < 0x90) ||
	    (lead == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

/* U+0000 to U+001F, DEL and U+0080 to U+009F. */
static bool is_control(const unsigned char *at, size_t len)
{
	return (len == 1 && (at[0] < 0x20 || at[0] == 0x7f)) || (len == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/* Copies a text out of shared memory once, and then works on the copy: the writer may go on changing it. */
static void get_text(char *into, const char *shared, size_t size)
{
	const volatile char *from = shared;
	size_t len = 0;
	while (len < size - 1 && (into[len] = from[len]) != '\0')
		len++;
	into[len] = '\0';
	for (size_t i = 0; i < len;) {
		const unsigned char *at = (const unsigned char *)into + i;
		size_t sequence = utf8_len(at, len - i);
		size_t step = MAX(sequence, (size_t)1);
		if (sequence == 0 || is_control(at, sequence))
			memset(into + i, '?', step);
		i += step;
	}
}

enum counter_kind { TOTAL, GAUGE };

/* A gauge beyond all bounds was counted below zero. */
static uint64_t get_count(const _Atomic uint64_t *shared, enum counter_kind kind)
{
	uint64_t value = GET(*shared);
	return value <= COUNT_MAX ? value : kind == GAUGE ? 0 : COUNT_MAX;
}

static uint64_t get_time(const _Atomic uint64_t *shared, uint64_t now_ms)
{
	/* Read once: MIN() looks twice, and the writer may change it in between. */
	uint64_t time_ms = GET(*shared);
	return MIN(time_ms, now_ms);
}

void board_read(const struct board *board, uint32_t slot, uint64_t now_ms, struct board_reading *ret_reading)
{
	struct board_line *line = board_line(board, slot);
	CHECK(line != NULL);
	memset(ret_reading, 0, sizeof *ret_reading);

	uint32_t pid = GET(line->pid);
	uint32_t phase = GET(line->phase);
	ret_reading->pid = pid <= INT32_MAX ? pid : 0;
	ret_reading->serial = GET(line->serial);
	ret_reading->generation = GET(line->generation);
	ret_reading->phase = phase < PHASE_MAX ? (enum board_phase)phase : PHASE_NONE;
	ret_reading->beat_ms = get_time(&line->beat_ms, now_ms);
	ret_reading->busy_since_ms = get_time(&line->busy_since_ms, now_ms);
#define COUNTER(name, kind, unit, text) ret_reading->name = get_count(&line->name, kind);
#include "tables/counters.def"
#undef COUNTER
	get_text(ret_reading->last_words, line->last_words, sizeof ret_reading->last_words);
	for (size_t i = 0; i < BOARD_LATENCIES; i++)
		ret_reading->latencies[i] = get_count(&line->latencies[i], TOTAL);
	board_read_agent(board, slot, now_ms, &ret_reading->agent);

	for (size_t i = 0; i < BOARD_REQUESTS; i++) {
		struct board_request *request = &line->requests[i];
		uint64_t started_ms = atomic_load_explicit(&request->started_ms, memory_order_acquire);
		if (started_ms == 0 || started_ms == ENTRY_CLAIMED)
			continue;
		size_t at = ret_reading->request_count++;
		uint64_t rss_bytes = GET(request->rss_start_bytes);
		ret_reading->requests[at].started_ms = MIN(started_ms, now_ms);
		ret_reading->requests[at].rss_start_bytes = rss_bytes <= COUNT_MAX ? rss_bytes : 0;
		get_text(ret_reading->requests[at].method, request->method, sizeof request->method);
		get_text(ret_reading->requests[at].path, request->path, sizeof request->path);
	}
}

static uint64_t get_bytes(const _Atomic uint64_t *shared)
{
	uint64_t value = GET(*shared);

	return value <= COUNT_MAX ? value : BOARD_UNKNOWN;
}

static void read_sockets(const struct board_agent *agent, uint64_t now_ms, struct board_agent_reading *ret_reading)
{
	for (size_t i = 0; i < BOARD_SOCKETS; i++) {
		const struct board_socket *from = &agent->sockets[i];
		uint64_t memory_bytes = atomic_load_explicit(&from->memory_bytes, memory_order_acquire);

		if (memory_bytes == 0 || memory_bytes > COUNT_MAX)
			continue;

		size_t at = ret_reading->socket_count++;

		ret_reading->sockets[at].memory_bytes = memory_bytes;
		ret_reading->sockets[at].unread_bytes = get_count(&from->unread_bytes, GAUGE);
		ret_reading->sockets[at].unsent_bytes = get_count(&from->unsent_bytes, GAUGE);
		ret_reading->sockets[at].since_ms = get_time(&from->since_ms, now_ms);
		ret_reading->sockets[at].is_client = GET(from->is_client) != 0;
		get_text(ret_reading->sockets[at].peer, from->peer, sizeof from->peer);
	}
}

size_t board_read_starts(const struct board *board, uint32_t slot, uint64_t now_ms, uint64_t ret_starts_ms[BOARD_REQUESTS])
{
	const struct board_line *line = board_line(board, slot);
	size_t count = 0;

	CHECK(line != NULL);
	for (size_t i = 0; i < BOARD_REQUESTS; i++) {
		uint64_t started_ms = GET(line->requests[i].started_ms);

		if (started_ms != 0 && started_ms != ENTRY_CLAIMED)
			ret_starts_ms[count++] = MIN(started_ms, now_ms);
	}
	return count;
}

void board_read_agent(const struct board *board, uint32_t slot, uint64_t now_ms, struct board_agent_reading *ret_reading)
{
	const struct board_line *line = board_line(board, slot);
	CHECK(line != NULL);
	const struct board_agent *agent = &line->agent;
	uint64_t serial = atomic_load_explicit(&agent->remedy_serial, memory_order_acquire);

	memset(ret_reading, 0, sizeof *ret_reading);
	ret_reading->sockets_ms = get_time(&agent->sockets_ms, now_ms);
	ret_reading->sockets_open = get_count(&agent->sockets_open, GAUGE);
	ret_reading->sockets_client_bytes = get_bytes(&agent->sockets_client_bytes);
	ret_reading->sockets_upstream_bytes = get_bytes(&agent->sockets_upstream_bytes);
	ret_reading->sockets_unread_bytes = get_bytes(&agent->sockets_unread_bytes);
	ret_reading->rollup_ms = get_time(&agent->rollup_ms, now_ms);
	ret_reading->rss_bytes = get_bytes(&agent->rss_bytes);
	ret_reading->pss_bytes = get_bytes(&agent->pss_bytes);
	ret_reading->uss_bytes = get_bytes(&agent->uss_bytes);
	ret_reading->remedy_serial = serial <= UINT32_MAX ? (uint32_t)serial : 0;
	ret_reading->remedy_amount = get_count(&agent->remedy_amount, GAUGE);
	get_text(ret_reading->remedy_text, agent->remedy_text, sizeof agent->remedy_text);
	read_sockets(agent, now_ms, ret_reading);
}

void board_add_latencies(const struct board *board, uint32_t slot, uint64_t sums[BOARD_LATENCIES])
{
	const struct board_line *line = board_line(board, slot);
	CHECK(line != NULL);
	for (size_t i = 0; i < BOARD_LATENCIES; i++)
		sums[i] += get_count(&line->latencies[i], TOTAL);
}

const char *board_phase_name(enum board_phase phase)
{
	static const char *const names[PHASE_MAX] = {
		[PHASE_NONE] = "none",   [PHASE_BOOT] = "boot",   [PHASE_LOAD] = "load",
		[PHASE_SERVE] = "serve", [PHASE_DRAIN] = "drain", [PHASE_EXIT] = "exit",
	};
	return (size_t)phase < PHASE_MAX ? names[phase] : names[PHASE_NONE];
}
