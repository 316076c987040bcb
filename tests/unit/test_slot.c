/* SPDX-License-Identifier: MIT */
/*
 * test_slot.c - the worker's states: every pair decided, nothing unreachable, timers belong to states.
 */
#include "base/base.h"

#include <signal.h>

#include <criterion/criterion.h>

#include "master/slot.h"

static const struct slot_limits limits = { .graceful_ms = 30000, .abort_ms = 1000 };

static struct slot *slot_in(const enum slot_event *events, size_t count)
{
	struct slot *slot = slot_new(7);

	for (size_t i = 0; i < count; i++)
		(void)slot_step(slot, events[i], &limits, 100);
	return slot;
}

#define SLOT_AFTER(...)                                                                                                       \
	slot_in((const enum slot_event[]){ __VA_ARGS__ }, sizeof((const enum slot_event[]){ __VA_ARGS__ }) / sizeof(enum slot_event))

Test(slot, every_state_is_reachable)
{
	bool is_reached[SLOT_STATE_MAX] = { [SLOT_EMPTY] = true };

	for (int round = 0; round < SLOT_STATE_MAX; round++)
		for (int state = 0; state < SLOT_STATE_MAX; state++)
			for (int event = 0; is_reached[state] && event < SLOT_EVENT_MAX; event++) {
				enum slot_state next;
				enum slot_action action;

				if (slot_table((enum slot_state)state, (enum slot_event)event, &next, &action))
					is_reached[next] = true;
			}
	for (int state = 0; state < SLOT_STATE_MAX; state++)
		cr_assert(is_reached[state], "%s", slot_state_name((enum slot_state)state));
}

Test(slot, every_state_leads_back_to_empty)
{
	bool is_home[SLOT_STATE_MAX] = { [SLOT_EMPTY] = true };

	for (int round = 0; round < SLOT_STATE_MAX; round++)
		for (int state = 0; state < SLOT_STATE_MAX; state++)
			for (int event = 0; event < SLOT_EVENT_MAX; event++) {
				enum slot_state next;
				enum slot_action action;

				if (slot_table((enum slot_state)state, (enum slot_event)event, &next, &action) && is_home[next])
					is_home[state] = true;
			}
	for (int state = 0; state < SLOT_STATE_MAX; state++)
		cr_assert(is_home[state], "%s", slot_state_name((enum slot_state)state));
}

Test(slot, a_process_may_end_in_every_state_that_has_one)
{
	static const enum slot_state with_process[] = { SLOT_BOOTING, SLOT_SERVING, SLOT_RETIRING, SLOT_ABORTING, SLOT_KILLED };

	for (size_t i = 0; i < ARRAY_LEN(with_process); i++) {
		enum slot_state next;
		enum slot_action action;

		cr_assert(slot_table(with_process[i], SLOT_EVENT_EXITED, &next, &action));
		cr_assert_eq(next, SLOT_EMPTY);
	}
}

Test(slot, a_stop_is_understood_in_every_state)
{
	for (int state = 0; state < SLOT_STATE_MAX; state++) {
		enum slot_state next;
		enum slot_action action;

		cr_assert(slot_table((enum slot_state)state, SLOT_EVENT_RETIRE, &next, &action));
		cr_assert(slot_table((enum slot_state)state, SLOT_EVENT_HURRY, &next, &action));
	}
}

Test(slot, there_are_27_moves_and_16_ignored_pairs)
{
	int moves = 0;
	int ignored = 0;

	for (int state = 0; state < SLOT_STATE_MAX; state++)
		for (int event = 0; event < SLOT_EVENT_MAX; event++) {
			enum slot_state next;
			enum slot_action action;

			if (!slot_table((enum slot_state)state, (enum slot_event)event, &next, &action))
				continue;
			if (next == (enum slot_state)state && action == SLOT_DO_nothing)
				ignored++;
			else
				moves++;
		}
	cr_assert_eq(moves, 27, "%d", moves);
	cr_assert_eq(ignored, 16, "%d", ignored);
}

Test(slot, late_while_serving_aborts_and_then_kills)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED, SLOT_EVENT_SPAWNED, SLOT_EVENT_READY);

	cr_assert_eq(slot_step(slot, SLOT_EVENT_LATE, &limits, 5000), SLOT_DO_send_abort);
	cr_assert_eq(slot_state(slot), SLOT_ABORTING);
	cr_assert_eq(slot_timer_ms(slot), 6000);
	cr_assert_eq(slot_step(slot, SLOT_EVENT_TIMER, &limits, 6000), SLOT_DO_send_kill);
	cr_assert_eq(slot_timer_ms(slot), 0, "leaving a state disarms its timer");
	slot_free(slot);
}

Test(slot, retiring_arms_the_graceful_timer_and_a_hurry_keeps_it)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED, SLOT_EVENT_SPAWNED, SLOT_EVENT_READY);

	cr_assert_eq(slot_step(slot, SLOT_EVENT_RETIRE, &limits, 1000), SLOT_DO_send_term);
	cr_assert_eq(slot_timer_ms(slot), 31000);
	cr_assert_eq(slot_step(slot, SLOT_EVENT_HURRY, &limits, 2000), SLOT_DO_send_quit);
	cr_assert_eq(slot_timer_ms(slot), 31000);
	slot_free(slot);
}

Test(slot, a_fork_no_longer_wanted_is_told_to_leave_when_it_arrives)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED, SLOT_EVENT_RETIRE);

	cr_assert_eq(slot_state(slot), SLOT_DOOMED);
	cr_assert_eq(slot_step(slot, SLOT_EVENT_SPAWNED, &limits, 1), SLOT_DO_note_pid_and_term);
	cr_assert_eq(slot_state(slot), SLOT_RETIRING);
	slot_free(slot);
}

Test(slot, a_template_that_does_not_say_what_became_of_a_fork_is_killed_once)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED);

	cr_assert_eq(slot_step(slot, SLOT_EVENT_RETIRE, &limits, 1000), SLOT_DO_nothing);
	cr_assert_eq(slot_timer_ms(slot), 31000);
	cr_assert_eq(slot_step(slot, SLOT_EVENT_TIMER, &limits, 31000), SLOT_DO_kill_template);
	cr_assert_eq(slot_state(slot), SLOT_DOOMED);
	cr_assert_eq(slot_timer_ms(slot), 0);
	slot_free(slot);
}

Test(slot, ready_that_crosses_a_retirement_changes_nothing)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED, SLOT_EVENT_SPAWNED, SLOT_EVENT_RETIRE);

	cr_assert_eq(slot_step(slot, SLOT_EVENT_READY, &limits, 1), SLOT_DO_nothing);
	cr_assert_eq(slot_state(slot), SLOT_RETIRING);
	slot_free(slot);
}

Test(slot, a_second_ready_is_not_allowed)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED, SLOT_EVENT_SPAWNED, SLOT_EVENT_READY);

	cr_assert_not(slot_allows(slot, SLOT_EVENT_READY));
	slot_free(slot);
}

Test(slot, an_illegal_pair_is_our_bug, .signal = SIGABRT)
{
	struct slot *slot = SLOT_AFTER(SLOT_EVENT_WANTED);

	(void)slot_step(slot, SLOT_EVENT_READY, &limits, 1);
}
