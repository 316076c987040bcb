/* SPDX-License-Identifier: MIT */
/*
 * fuzz_board.c - a line of the board that a worker has filled with rubbish.
 *
 * Input: the line's bytes; what is missing is zero, what is too much is left out.
 */
#include "base/base.h"
#include "fuzz.h"

#include "shared/board.h"

enum { NOW_MS = 1000000 };

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	CHECK(len < size);
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void check_agent(const struct board_agent_reading *agent)
{
	CHECK(agent->sockets_ms <= NOW_MS && agent->rollup_ms <= NOW_MS);
	CHECK(agent->socket_count <= BOARD_SOCKETS);
	check_text(agent->remedy_text, sizeof(agent->remedy_text));
	for (size_t i = 0; i < agent->socket_count; i++) {
		CHECK(agent->sockets[i].since_ms <= NOW_MS);
		check_text(agent->sockets[i].peer, sizeof(agent->sockets[i].peer));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct board board;
	static struct board_reading reading;
	struct board_agent_reading agent;
	uint64_t starts[BOARD_REQUESTS];
	uint64_t sums[BOARD_LATENCIES] = { 0 };

	fuzz_setup();
	if (board.head == NULL)
		CHECK(board_create(&board) == 0);
	board_clear_line(&board, 0);
	if (size > 0)
		memcpy((void *)board_line(&board, 0), data, MIN(size, sizeof(struct board_line)));

	board_read(&board, 0, NOW_MS, &reading);
	CHECK(reading.phase < PHASE_MAX && reading.beat_ms <= NOW_MS && reading.busy_since_ms <= NOW_MS);
	CHECK(reading.request_count <= BOARD_REQUESTS);
	check_text(reading.last_words, sizeof(reading.last_words));
	for (size_t i = 0; i < reading.request_count; i++) {
		CHECK(reading.requests[i].started_ms <= NOW_MS);
		check_text(reading.requests[i].method, sizeof(reading.requests[i].method));
		check_text(reading.requests[i].path, sizeof(reading.requests[i].path));
	}
	check_agent(&reading.agent);
	board_read_agent(&board, 0, NOW_MS, &agent);
	check_agent(&agent);
	size_t count = board_read_starts(&board, 0, NOW_MS, starts);
	CHECK(count <= BOARD_REQUESTS);
	for (size_t i = 0; i < count; i++)
		CHECK(starts[i] <= NOW_MS);
	board_add_latencies(&board, 0, sums);
	return 0;
}
