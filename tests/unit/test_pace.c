/* SPDX-License-Identifier: MIT */
/*
 * test_pace.c - whether a client reads fast enough.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/pace.h"

enum { FULL = 1 << 20 /* bytes in the queue of the socket when a wait begins */ };

static bool wait_for(struct pace *pace, uint64_t *now_ms, unsigned ms, size_t taken_bytes)
{
	pace_begin(pace, *now_ms, FULL);
	*now_ms += ms;
	return pace_end(pace, *now_ms, FULL - taken_bytes);
}

Test(pace, silence_ends)
{
	struct pace pace = { 0 };
	uint64_t now_ms = 1000;

	cr_assert_eq(pace_left_ms(&pace), PACE_MS);
	cr_assert(wait_for(&pace, &now_ms, PACE_MS - 1, 0));
	cr_assert_eq(pace_left_ms(&pace), 1);
	cr_assert_not(wait_for(&pace, &now_ms, 1, 0));
}

Test(pace, a_byte_now_and_then_does_not_help)
{
	struct pace pace = { 0 };
	uint64_t now_ms = 0;
	unsigned seconds = 0;

	while (wait_for(&pace, &now_ms, 1000, 100))
		seconds++;
	cr_assert_eq(seconds, PACE_MS / 1000 - 1);
}

Test(pace, a_kilobyte_a_second_is_enough)
{
	struct pace pace = { 0 };
	uint64_t now_ms = 0;

	for (int second = 0; second < 10000; second++)
		cr_assert(wait_for(&pace, &now_ms, 1000, 1024), "second %d", second);
}

Test(pace, so_is_as_much_at_once_now_and_then)
{
	struct pace pace = { 0 };
	uint64_t now_ms = 0;

	for (int round = 0; round < 100; round++) {
		cr_assert(wait_for(&pace, &now_ms, PACE_MS / 2, 0), "round %d", round);
		cr_assert(wait_for(&pace, &now_ms, PACE_MS / 2 + 1000, PACE_BYTES), "round %d", round);
	}
}

Test(pace, the_time_between_waits_does_not_count)
{
	struct pace pace = { 0 };
	uint64_t now_ms = 0;

	for (int wait = 0; wait < 59; wait++) {
		now_ms += 10 * (uint64_t)PACE_MS;
		cr_assert(wait_for(&pace, &now_ms, 1000, 0), "wait %d", wait);
	}
	cr_assert_not(wait_for(&pace, &now_ms, 1000, 0));
}

Test(pace, a_good_piece_makes_up_for_slowness)
{
	struct pace pace = { 0 };
	uint64_t now_ms = 0;

	cr_assert(wait_for(&pace, &now_ms, PACE_MS - 1, PACE_BYTES - 1));
	cr_assert(wait_for(&pace, &now_ms, 1000, 1));
	cr_assert_eq(pace_left_ms(&pace), PACE_MS);
}

/* The worker may have been busy with something else meanwhile. */
Test(pace, who_has_taken_all_is_not_slow)
{
	struct pace pace = { 0 };

	pace_begin(&pace, 0, 1000);
	cr_assert(pace_end(&pace, 2 * PACE_MS, 0));
	cr_assert_eq(pace_left_ms(&pace), PACE_MS);
}

/* Another thread of the application may send while one waits. */
Test(pace, a_queue_that_grows_is_no_progress)
{
	struct pace pace = { 0 };

	pace_begin(&pace, 0, 1000);
	cr_assert(pace_end(&pace, PACE_MS - 1, FULL));
	cr_assert_eq(pace.taken_bytes, 0);
}
