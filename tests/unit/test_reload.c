/* SPDX-License-Identifier: MIT */
/*
 * test_reload.c - SIGHUP as a state machine.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/reload.h"

Test(reload, template_then_canary_then_commit)
{
	struct reload reload = { .generation = 1 };

	cr_assert_eq(reload_ask(&reload), RELOAD_DO_START);
	cr_assert_eq(reload.generation, 2);
	cr_assert_eq(reload_template_ready(&reload, true), RELOAD_DO_CANARY);
	cr_assert_eq(reload_canary_ready(&reload), RELOAD_DO_COMMIT);
	cr_assert_eq(reload.state, RELOAD_IDLE);
	cr_assert_eq(reload.succeeded_total, 1);
}

Test(reload, without_workers_there_is_no_canary)
{
	struct reload reload = { .generation = 1 };

	(void)reload_ask(&reload);
	cr_assert_eq(reload_template_ready(&reload, false), RELOAD_DO_COMMIT);
}

Test(reload, a_broken_template_abandons_and_says_why)
{
	struct reload reload = { .generation = 1 };

	(void)reload_ask(&reload);
	cr_assert_eq(reload_fail(&reload, "SyntaxError: x"), RELOAD_DO_ABANDON);
	cr_assert_str_eq(reload.last_error, "SyntaxError: x");
	cr_assert_eq(reload.failed_total, 1);
	cr_assert_eq(reload_next(&reload), RELOAD_DO_NOTHING);
}

Test(reload, a_success_clears_the_last_error)
{
	struct reload reload = { .generation = 1 };

	(void)reload_ask(&reload);
	(void)reload_fail(&reload, "x");
	(void)reload_ask(&reload);
	(void)reload_template_ready(&reload, true);
	(void)reload_canary_ready(&reload);
	cr_assert_str_empty(reload.last_error);
}

Test(reload, many_hups_during_one_reload_make_one_more)
{
	struct reload reload = { .generation = 1 };

	(void)reload_ask(&reload);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(reload_ask(&reload), RELOAD_DO_NOTHING);
	(void)reload_template_ready(&reload, true);
	(void)reload_canary_ready(&reload);
	cr_assert_eq(reload_next(&reload), RELOAD_DO_START);
	cr_assert_eq(reload.generation, 3);
	(void)reload_fail(&reload, "x");
	cr_assert_eq(reload_next(&reload), RELOAD_DO_NOTHING);
}

Test(reload, a_stop_forgets_what_is_under_way_and_what_is_pending)
{
	struct reload reload = { .generation = 1 };

	(void)reload_ask(&reload);
	(void)reload_ask(&reload);
	cr_assert_eq(reload_cancel(&reload), RELOAD_DO_ABANDON);
	cr_assert_eq(reload_next(&reload), RELOAD_DO_NOTHING);
	cr_assert_eq(reload_cancel(&reload), RELOAD_DO_NOTHING);
}

Test(reload, a_generation_number_is_never_used_twice)
{
	struct reload reload = { .generation = 1 };

	(void)reload_ask(&reload);
	(void)reload_fail(&reload, "x");
	(void)reload_ask(&reload);
	cr_assert_eq(reload.generation, 3);
}

Test(reload, one_that_hangs_is_ended_by_another)
{
	struct reload reload = { .state = RELOAD_IDLE, .generation = 1 };

	cr_assert_not(reload_is_late(&reload, 1000000));
	cr_assert_eq(reload_ask(&reload), RELOAD_DO_START);
	reload.begun_ms = 1000;
	cr_assert_eq(reload_ask(&reload), RELOAD_DO_NOTHING);
	cr_assert_not(reload_is_late(&reload, 1000 + RELOAD_PATIENCE_MS - 1));
	cr_assert(reload_is_late(&reload, 1000 + RELOAD_PATIENCE_MS));
	cr_assert_eq(reload_fail(&reload, "late"), RELOAD_DO_ABANDON);
	cr_assert_eq(reload_next(&reload), RELOAD_DO_START);
	cr_assert_eq(reload.generation, 3);
}
