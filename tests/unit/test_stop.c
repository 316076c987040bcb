/* SPDX-License-Identifier: MIT */
/*
 * test_stop.c - the end of the service as states.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/stop.h"

Test(stop, workers_then_templates_then_the_end)
{
	struct stop stop = { STOP_NONE, 0, "", 0 };

	cr_assert_not(stop_is_on(&stop));
	cr_assert_eq(stop_ask(&stop, false, 0, NULL, 1), STOP_DO_RETIRE);
	cr_assert(stop_is_on(&stop));
	cr_assert_eq(stop_step(&stop, 2, 1, 2), STOP_DO_NOTHING);
	cr_assert_eq(stop_step(&stop, 0, 1, 3), STOP_DO_DISMISS);
	cr_assert_eq(stop_step(&stop, 0, 1, 4), STOP_DO_NOTHING);
	cr_assert_eq(stop_step(&stop, 0, 0, 5), STOP_DO_FINISH);
	cr_assert_eq(stop_step(&stop, 0, 0, 6), STOP_DO_NOTHING);
}

Test(stop, a_second_graceful_signal_changes_nothing)
{
	struct stop stop = { STOP_NONE, 0, "", 0 };

	(void)stop_ask(&stop, false, 0, NULL, 1);
	cr_assert_eq(stop_ask(&stop, false, 0, NULL, 2), STOP_DO_NOTHING);
}

Test(stop, a_hurried_graceful_stop_kills_after_two_seconds)
{
	struct stop stop = { STOP_NONE, 0, "", 0 };

	(void)stop_ask(&stop, false, 0, NULL, 1000);
	cr_assert_eq(stop_ask(&stop, true, 0, NULL, 5000), STOP_DO_HURRY);
	cr_assert_eq(stop_step(&stop, 1, 1, 6999), STOP_DO_NOTHING);
	cr_assert_eq(stop_step(&stop, 1, 1, 7000), STOP_DO_KILL);
	cr_assert_eq(stop_step(&stop, 1, 1, 7001), STOP_DO_NOTHING, "once");
}

Test(stop, the_first_exit_code_and_reason_stay)
{
	struct stop stop = { STOP_NONE, 0, "", 0 };

	(void)stop_ask(&stop, true, 3, "Worker failed to boot.", 1);
	(void)stop_ask(&stop, true, 4, "App failed to load.", 2);
	cr_assert_eq(stop.exit_code, 3);
	cr_assert_str_eq(stop.reason, "Worker failed to boot.");
}
