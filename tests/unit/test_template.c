/* SPDX-License-Identifier: MIT */
/*
 * test_template.c - the template's states.
 */
#include "base/base.h"

#include <signal.h>

#include <criterion/criterion.h>

#include "master/template.h"

static struct template_moves *template_after(const enum template_event *events, size_t count)
{
	struct template_moves *moves = template_moves_new();

	for (size_t i = 0; i < count; i++)
		(void)template_step(moves, events[i], 10000, 100);
	return moves;
}

#define TEMPLATE_AFTER(...)                                                                                                   \
	template_after((const enum template_event[]){ __VA_ARGS__ },                                                          \
	               sizeof((const enum template_event[]){ __VA_ARGS__ }) / sizeof(enum template_event))

Test(template, every_state_is_reachable_and_leads_back_to_absent)
{
	bool is_reached[TEMPLATE_STATE_MAX] = { [TEMPLATE_ABSENT] = true };
	bool is_home[TEMPLATE_STATE_MAX] = { [TEMPLATE_ABSENT] = true };

	for (int round = 0; round < TEMPLATE_STATE_MAX; round++)
		for (int state = 0; state < TEMPLATE_STATE_MAX; state++)
			for (int event = 0; event < TEMPLATE_EVENT_MAX; event++) {
				enum template_state next;
				enum template_action action;

				if (!template_table((enum template_state)state, (enum template_event)event, &next, &action))
					continue;
				is_reached[next] = is_reached[next] || is_reached[state];
				is_home[state] = is_home[state] || is_home[next];
			}
	for (int state = 0; state < TEMPLATE_STATE_MAX; state++) {
		cr_assert(is_reached[state], "%s", template_state_name((enum template_state)state));
		cr_assert(is_home[state], "%s", template_state_name((enum template_state)state));
	}
}

Test(template, its_end_is_understood_in_every_state_but_absent)
{
	for (int state = TEMPLATE_ABSENT + 1; state < TEMPLATE_STATE_MAX; state++) {
		enum template_state next;
		enum template_action action;

		cr_assert(template_table((enum template_state)state, TEMPLATE_EVENT_EXITED, &next, &action));
		cr_assert_eq(next, TEMPLATE_ABSENT);
	}
}

Test(template, a_stop_is_understood_in_every_state)
{
	for (int state = 0; state < TEMPLATE_STATE_MAX; state++) {
		enum template_state next;
		enum template_action action;

		cr_assert(template_table((enum template_state)state, TEMPLATE_EVENT_DISMISS, &next, &action));
	}
}

Test(template, the_way_to_ready)
{
	struct template_moves *moves = template_moves_new();

	cr_assert_eq(template_step(moves, TEMPLATE_EVENT_WANTED, 1, 1), TEMPLATE_DO_start);
	cr_assert_eq(template_step(moves, TEMPLATE_EVENT_CONFIGURED, 1, 1), TEMPLATE_DO_check_settings);
	cr_assert_eq(template_step(moves, TEMPLATE_EVENT_GO, 1, 1), TEMPLATE_DO_send_go);
	cr_assert_eq(template_step(moves, TEMPLATE_EVENT_LOADED, 1, 1), TEMPLATE_DO_note_ready);
	cr_assert_eq(template_state(moves), TEMPLATE_READY);
	template_moves_free(moves);
}

Test(template, a_dismissed_one_that_does_not_leave_is_killed)
{
	struct template_moves *moves =
		TEMPLATE_AFTER(TEMPLATE_EVENT_WANTED, TEMPLATE_EVENT_CONFIGURED, TEMPLATE_EVENT_DISMISS);

	cr_assert_eq(template_timer_ms(moves), 10100);
	cr_assert_eq(template_step(moves, TEMPLATE_EVENT_TIMER, 10000, 10100), TEMPLATE_DO_send_kill);
	cr_assert_eq(template_timer_ms(moves), 0);
	template_moves_free(moves);
}

Test(template, a_message_that_crossed_the_dismissal_is_ignored)
{
	struct template_moves *moves = TEMPLATE_AFTER(TEMPLATE_EVENT_WANTED, TEMPLATE_EVENT_DISMISS);

	cr_assert_eq(template_step(moves, TEMPLATE_EVENT_CONFIGURED, 1, 1), TEMPLATE_DO_nothing);
	template_moves_free(moves);
}

Test(template, loaded_before_configured_is_not_allowed)
{
	struct template_moves *moves = TEMPLATE_AFTER(TEMPLATE_EVENT_WANTED);

	cr_assert_not(template_allows(moves, TEMPLATE_EVENT_LOADED));
	template_moves_free(moves);
}

Test(template, an_illegal_pair_is_our_bug, .signal = SIGABRT)
{
	struct template_moves *moves = template_moves_new();

	(void)template_step(moves, TEMPLATE_EVENT_LOADED, 1, 1);
}
