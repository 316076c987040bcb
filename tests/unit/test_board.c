/* SPDX-License-Identifier: MIT */
/*
 * test_board.c - the scoreboard, written by workers that may write anything.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "shared/board.h"

static struct board board;
static struct board_reading reading;

static void make_board(void)
{
	cr_assert_eq(board_create(&board), 0);
}

static void release_board(void)
{
	board_release(&board);
}

TestSuite(board, .init = make_board, .fini = release_board);

static struct board_line *fill_with_rubbish(uint32_t slot, int byte)
{
	struct board_line *line = board_line(&board, slot);
	memset((void *)line, byte, sizeof *line);
	return line;
}

Test(board, is_as_large_as_it_will_ever_be_and_costs_nothing_yet)
{
	struct stat info;
	cr_assert_eq(fstat(board.fd, &info), 0);
	cr_assert_eq(info.st_size, (off_t)(sizeof(struct board_head) + BOARD_LINE_BYTES * (size_t)BOARD_SLOTS));
	cr_assert_leq(info.st_blocks * 512, 65536, "only the head was touched");
	cr_assert_eq(board.head->master_pid, (uint32_t)getpid());
}

Test(board, slots_out_of_range_have_no_line)
{
	cr_assert_not_null(board_line(&board, 0));
	cr_assert_not_null(board_line(&board, BOARD_SLOTS - 1));
	cr_assert_null(board_line(&board, BOARD_SLOTS));
	cr_assert_null(board_line(&board, UINT32_MAX));
}

Test(board, is_the_same_memory_for_who_attaches)
{
	struct board other;
	cr_assert_eq(board_attach(&other, fcntl(board.fd, F_DUPFD_CLOEXEC, 3)), 0);
	board_beat(board_line(&other, 5), 1234);
	board_read(&board, 5, 5000, &reading);
	cr_assert_eq(reading.beat_ms, 1234);
	board_read(&board, 6, 5000, &reading);
	cr_assert_eq(reading.beat_ms, 0);
	board_release(&other);
	cr_assert_null(other.head);
}

Test(board, files_that_are_no_board_are_refused)
{
	struct board other;
	int fd = fd_memfd("small", 4096);
	cr_assert_eq(board_attach(&other, fd), -EPROTO, "too small: there would be SIGBUS");
	cr_assert_null(other.head);
	fd_close(&fd);
	fd = fd_memfd("blank", BOARD_LINE_BYTES * (1 + BOARD_SLOTS));
	cr_assert_eq(board_attach(&other, fd), -EPROTO, "no magic number");
	cr_assert_geq(fcntl(fd, F_GETFD), 0, "the caller's fd stays open");
	fd_close(&fd);
	cr_assert_eq(board_attach(&other, FD_NONE), -EBADF);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	cr_assert_eq(board_attach(&other, fd), -EPROTO);
	fd_close(&fd);
}

Test(board, another_layout_is_refused)
{
	struct board other;
	board.head->layout = BOARD_LAYOUT + 1;
	cr_assert_eq(board_attach(&other, board.fd), -EPROTO);
}

Test(board, a_worker_cannot_cut_it)
{
	cr_assert_eq(ftruncate(board.fd, 0), -1);
	board_read(&board, BOARD_SLOTS - 1, 0, &reading);
}

Test(board, release_is_harmless_on_empty_ones)
{
	struct board zeroed = { 0 };
	board_release(&zeroed);
	board_release(NULL);
	cr_assert_geq(fcntl(0, F_GETFD), 0, "fd 0 is nobody's board");
}

Test(board, reader_gives_back_what_was_written)
{
	struct board_line *line = board_line(&board, 3);
	line->pid = 77;
	line->serial = 9;
	line->generation = 2;
	line->phase = PHASE_SERVE;
	line->busy_since_ms = 900;
	line->requests_total = 12345;
	line->connections_open = 4;
	board_beat(line, 1000);
	board_set_last_words(line, "out of luck");
	board_read(&board, 3, 2000, &reading);
	cr_assert_eq(reading.pid, 77);
	cr_assert_eq(reading.serial, 9);
	cr_assert_eq(reading.generation, 2);
	cr_assert_eq(reading.phase, PHASE_SERVE);
	cr_assert_eq(reading.beat_ms, 1000);
	cr_assert_eq(reading.busy_since_ms, 900);
	cr_assert_eq(reading.requests_total, 12345);
	cr_assert_eq(reading.connections_open, 4);
	cr_assert_str_eq(reading.last_words, "out of luck");
	cr_assert_eq(reading.request_count, 0);
}

Test(board, clearing_a_line_leaves_its_neighbours)
{
	for (uint32_t slot = 0; slot < 3; slot++)
		board_beat(board_line(&board, slot), 5);
	board_clear_line(&board, 1);
	board_read(&board, 0, 9, &reading);
	cr_assert_eq(reading.beat_ms, 5);
	board_read(&board, 1, 9, &reading);
	cr_assert_eq(reading.beat_ms, 0);
	board_read(&board, 2, 9, &reading);
	cr_assert_eq(reading.beat_ms, 5);
}

Test(board, reader_takes_a_time_in_the_future_as_now)
{
	struct board_line *line = board_line(&board, 0);
	line->beat_ms = UINT64_MAX;
	line->busy_since_ms = 1001;
	line->requests[0].started_ms = 5000;
	board_read(&board, 0, 1000, &reading);
	cr_assert_eq(reading.beat_ms, 1000);
	cr_assert_eq(reading.busy_since_ms, 1000);
	cr_assert_eq(reading.requests[0].started_ms, 1000);
}

Test(board, reader_refuses_phases_and_pids_that_do_not_exist)
{
	struct board_line *line = board_line(&board, 0);
	line->phase = PHASE_MAX;
	line->pid = (uint32_t)INT32_MAX + 1;
	board_read(&board, 0, 1, &reading);
	cr_assert_eq(reading.phase, PHASE_NONE);
	cr_assert_eq(reading.pid, 0, "kill(-1) would reach everybody");
	line->phase = UINT32_MAX;
	board_read(&board, 0, 1, &reading);
	cr_assert_eq(reading.phase, PHASE_NONE);
}

Test(board, reader_bounds_counters)
{
	struct board_line *line = board_line(&board, 0);
	line->requests_total = UINT64_MAX;
	line->connections_open = UINT64_MAX;
	board_read(&board, 0, 1, &reading);
	cr_assert_eq(reading.requests_total, (uint64_t)1 << 53);
	cr_assert_eq(reading.connections_open, 0, "counted below zero");
}

Test(board, reader_cuts_texts_that_are_not_terminated)
{
	(void)fill_with_rubbish(0, 'A');
	board_read(&board, 0, 1000, &reading);
	cr_assert_eq(strlen(reading.last_words), sizeof reading.last_words - 1);
	cr_assert_eq(reading.request_count, BOARD_REQUESTS);
	for (size_t i = 0; i < BOARD_REQUESTS; i++) {
		cr_assert_eq(strlen(reading.requests[i].method), sizeof reading.requests[i].method - 1);
		cr_assert_eq(strlen(reading.requests[i].path), sizeof reading.requests[i].path - 1);
		cr_assert_eq(reading.requests[i].started_ms, 1000);
		cr_assert_eq(reading.requests[i].rss_start_bytes, 0);
	}
}

Test(board, reader_survives_every_byte_value_everywhere)
{
	for (int byte = 0; byte < 256; byte++) {
		(void)fill_with_rubbish(0, byte);
		board_read(&board, 0, 1000, &reading);
		cr_assert_lt(reading.phase, PHASE_MAX);
		cr_assert_leq(reading.beat_ms, 1000);
		cr_assert_leq(reading.request_count, BOARD_REQUESTS);
		cr_assert_lt(strlen(reading.last_words), sizeof reading.last_words);
		for (const char *c = reading.last_words; *c != '\0'; c++)
			cr_assert(*c >= 0x20 && *c < 0x7f, "byte %d is no text by itself", byte);
	}
}

static const char *words_read_as(const char *written)
{
	struct board_line *line = board_line(&board, 0);
	memset(line->last_words, 0, sizeof line->last_words);
	memcpy(line->last_words, written, strlen(written));
	board_read(&board, 0, 1, &reading);
	return reading.last_words;
}

Test(board, reader_replaces_control_bytes)
{
	cr_assert_str_eq(words_read_as("a\nb\x1b[2J\x7f\t"), "a?b?[2J??");
	cr_assert_str_eq(words_read_as("\xc2\x85."), "??.", "U+0085 begins a line on some terminals");
}

Test(board, reader_keeps_utf8_and_nothing_that_looks_like_it)
{
	cr_assert_str_eq(words_read_as("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d");
	cr_assert_str_eq(words_read_as("\xff\xfe"), "??");
	cr_assert_str_eq(words_read_as("\x80z"), "?z");
	cr_assert_str_eq(words_read_as("\xc3z"), "?z");
	cr_assert_str_eq(words_read_as("\xc0\xaf"), "??", "overlong");
	cr_assert_str_eq(words_read_as("\xe0\x80\xaf"), "???", "overlong");
	cr_assert_str_eq(words_read_as("\xed\xa0\x80"), "???", "a surrogate");
	cr_assert_str_eq(words_read_as("\xf0\x80\x80\x80"), "????", "overlong");
	cr_assert_str_eq(words_read_as("\xf4\x90\x80\x80"), "????", "beyond U+10FFFF");
	cr_assert_str_eq(words_read_as("\xe2\x82"), "??", "cut in the middle");
}

Test(board, requests_are_described_while_they_run)
{
	struct board_line *line = board_line(&board, 0);
	int first = board_request_begin(line, 100, 4096, "GET", 3, "/first", 6);
	int second = board_request_begin(line, 200, 0, "POSTXX", 4, "/second?", 7);
	cr_assert_neq(first, second);
	board_read(&board, 0, 300, &reading);
	cr_assert_eq(reading.request_count, 2);
	cr_assert_eq(reading.requests[0].started_ms, 100);
	cr_assert_eq(reading.requests[0].rss_start_bytes, 4096);
	cr_assert_str_eq(reading.requests[0].method, "GET");
	cr_assert_str_eq(reading.requests[0].path, "/first");
	cr_assert_str_eq(reading.requests[1].method, "POST", "given by length, not terminated");
	cr_assert_str_eq(reading.requests[1].path, "/second");
	board_request_end(line, first);
	board_read(&board, 0, 300, &reading);
	cr_assert_eq(reading.request_count, 1);
	cr_assert_str_eq(reading.requests[0].path, "/second");
	board_request_end(line, second);
	board_read(&board, 0, 300, &reading);
	cr_assert_eq(reading.request_count, 0);
}

Test(board, a_request_too_many_is_served_without_a_description)
{
	struct board_line *line = board_line(&board, 0);
	for (int i = 0; i < BOARD_REQUESTS; i++)
		cr_assert_eq(board_request_begin(line, 1, 0, "GET", 3, "/", 1), i);
	cr_assert_eq(board_request_begin(line, 1, 0, "GET", 3, "/", 1), -1);
	board_request_end(line, -1);
	board_request_end(line, 7);
	cr_assert_eq(board_request_begin(line, 1, 0, "GET", 3, "/", 1), 7);
}

Test(board, long_paths_are_cut_and_hostile_ones_tamed)
{
	struct board_line *line = board_line(&board, 0);
	char path[1000];
	memset(path, 'p', sizeof path);
	path[3] = '\n';
	path[4] = '\0';
	(void)board_request_begin(line, 1, 0, "A-METHOD-LONGER-THAN-ALL", 24, path, sizeof path);
	cr_assert_eq(strnlen(line->requests[0].path, 128), 127, "terminated in memory already");
	board_read(&board, 0, 1, &reading);
	cr_assert_eq(strlen(reading.requests[0].path), 127);
	cr_assert_eq(strncmp(reading.requests[0].path, "ppp??ppp", 8), 0);
	cr_assert_str_eq(reading.requests[0].method, "A-METHOD-LONGER");
}

Test(board, last_words_are_cut_to_what_fits)
{
	struct board_line *line = board_line(&board, 0);
	char text[1000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	board_set_last_words(line, text);
	board_read(&board, 0, 1, &reading);
	cr_assert_eq(strlen(reading.last_words), sizeof reading.last_words - 1);
	board_set_last_words(line, "");
	board_read(&board, 0, 1, &reading);
	cr_assert_str_eq(reading.last_words, "");
}

Test(board, phases_have_names)
{
	cr_assert_str_eq(board_phase_name(PHASE_SERVE), "serve");
	for (int phase = 0; phase < PHASE_MAX; phase++)
		cr_assert_not_null(board_phase_name((enum board_phase)phase));
	cr_assert_str_eq(board_phase_name((enum board_phase)99), "none");
}

Test(board, latency_classes_are_four_to_a_doubling)
{
	cr_assert_eq(board_latency_class(0), 0);
	cr_assert_eq(board_latency_class(63), 0);
	cr_assert_eq(board_latency_class(64), 1);
	cr_assert_eq(board_latency_class(79), 1);
	cr_assert_eq(board_latency_class(80), 2);
	cr_assert_eq(board_latency_class(127), 4);
	cr_assert_eq(board_latency_class(128), 5);
	cr_assert_eq(board_latency_class(UINT64_MAX), BOARD_LATENCIES - 1);
	/* Every duration lies below the end of its class, and not below the end of the class before. */
	for (uint64_t us = 1; us < 100000000; us = us * 9 / 8 + 1) {
		size_t at = board_latency_class(us);

		cr_assert_lt(us, board_latency_end_us(at));
		if (at > 0)
			cr_assert_geq(us, board_latency_end_us(at - 1));
	}
}

Test(board, what_the_agent_says_is_checked)
{
	struct board board;
	struct board_agent_reading reading;

	cr_assert_eq(board_create(&board), 0);
	struct board_line *line = board_line(&board, 3);

	board_read_agent(&board, 3, 1000, &reading);
	cr_assert_eq(reading.sockets_ms, 0);
	cr_assert_eq(reading.socket_count, 0);

	struct board_socket values = { .memory_bytes = 4000, .unread_bytes = 100, .since_ms = 99999999, .is_client = 1 };

	board_set_socket(&line->agent.sockets[2], &values, "192.0.2.1:80\n");
	atomic_store(&line->agent.uss_bytes, BOARD_UNKNOWN);
	atomic_store(&line->agent.pss_bytes, (uint64_t)1 << 60);
	board_set_remedy(line, 7, 1234, "gave back");
	board_read_agent(&board, 3, 1000, &reading);
	cr_assert_eq(reading.socket_count, 1);
	cr_assert_eq(reading.sockets[0].memory_bytes, 4000);
	cr_assert_eq(reading.sockets[0].since_ms, 1000, "the future is now");
	cr_assert_str_eq(reading.sockets[0].peer, "192.0.2.1:80?");
	cr_assert_eq(reading.uss_bytes, BOARD_UNKNOWN);
	cr_assert_eq(reading.pss_bytes, BOARD_UNKNOWN, "rubbish is not known");
	cr_assert_eq(reading.remedy_serial, 7);
	cr_assert_str_eq(reading.remedy_text, "gave back");
	board_release(&board);
}

Test(board, starts_of_requests_are_read_alone)
{
	struct board board;
	uint64_t starts[BOARD_REQUESTS];

	cr_assert_eq(board_create(&board), 0);
	cr_assert_eq(board_read_starts(&board, 0, 1000, starts), 0);
	(void)board_request_begin(board_line(&board, 0), 500, 0, "GET", 3, "/", 1);
	(void)board_request_begin(board_line(&board, 0), 5000, 0, "GET", 3, "/", 1);
	cr_assert_eq(board_read_starts(&board, 0, 1000, starts), 2);
	cr_assert_eq(starts[0], 500);
	cr_assert_eq(starts[1], 1000);
	board_release(&board);
}
