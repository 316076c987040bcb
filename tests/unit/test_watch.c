/* SPDX-License-Identifier: MIT */
/*
 * test_watch.c - who is late.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/watch.h"

static const struct slot_limits limits = { .graceful_ms = 30000, .abort_ms = 1000 };

static struct slot *serving_since(uint64_t now_ms)
{
	struct slot *slot = slot_new(0);

	(void)slot_step(slot, SLOT_EVENT_WANTED, &limits, 0);
	(void)slot_step(slot, SLOT_EVENT_SPAWNED, &limits, 0);
	(void)slot_step(slot, SLOT_EVENT_READY, &limits, now_ms);
	return slot;
}

Test(watch, silent_for_longer_than_the_timeout_is_late)
{
	struct slot *slot = serving_since(1000);
	struct board_reading reading = { .beat_ms = 5000 };

	cr_assert_not(watch_is_late(slot, &reading, 30000, 35000));
	cr_assert(watch_is_late(slot, &reading, 30000, 35001));
	slot_free(slot);
}

Test(watch, a_worker_that_never_beat_counts_from_when_it_became_ready)
{
	struct slot *slot = serving_since(1000);
	struct board_reading reading = { .beat_ms = 0 };

	cr_assert_not(watch_is_late(slot, &reading, 2000, 3000));
	cr_assert(watch_is_late(slot, &reading, 2000, 3001));
	slot_free(slot);
}

Test(watch, timeout_zero_is_never_late)
{
	struct slot *slot = serving_since(1);
	struct board_reading reading = { .beat_ms = 1 };

	cr_assert_not(watch_is_late(slot, &reading, 0, 1000000));
	slot_free(slot);
}

Test(watch, a_booting_or_retiring_worker_is_never_late)
{
	struct slot *slot = slot_new(0);
	struct board_reading reading = { .beat_ms = 0 };

	(void)slot_step(slot, SLOT_EVENT_WANTED, &limits, 0);
	(void)slot_step(slot, SLOT_EVENT_SPAWNED, &limits, 0);
	cr_assert_not(watch_is_late(slot, &reading, 1, 1000000));
	(void)slot_step(slot, SLOT_EVENT_RETIRE, &limits, 0);
	cr_assert_not(watch_is_late(slot, &reading, 1, 1000000));
	slot_free(slot);
}
