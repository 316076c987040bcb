/* SPDX-License-Identifier: MIT */
/*
 * test_sig.c - signal names, and the clean slate.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/sig.h"

Test(sig, names_are_those_of_signal_h)
{
	cr_assert_str_eq(sig_name(SIGTERM), "SIGTERM");
	cr_assert_str_eq(sig_name(SIGKILL), "SIGKILL");
	cr_assert_str_eq(sig_name(SIGHUP), "SIGHUP");
	cr_assert_str_eq(sig_name(SIGSYS), "SIGSYS");
	cr_assert_str_eq(sig_name(SIGABRT), "SIGABRT");
}

Test(sig, all_standard_signals_have_a_name)
{
	for (int number = 1; number <= SIGSYS; number++) {
		char digits[24];
		(void)snprintf(digits, sizeof digits, "SIG%d", number);
		cr_assert_str_neq(sig_name(number), digits);
	}
}

Test(sig, unknown_numbers_are_shown_as_numbers)
{
	cr_assert_str_eq(sig_name(0), "SIG0");
	cr_assert_str_eq(sig_name(40), "SIG40");
	cr_assert_str_eq(sig_name(-5), "SIG-5");
	cr_assert_str_eq(sig_name(INT32_MAX), "SIG2147483647");
}

Test(sig, reset_takes_handlers_and_masks_away)
{
	sigset_t mask;
	struct sigaction action;
	cr_assert_neq(signal(SIGUSR1, SIG_IGN), SIG_ERR);
	cr_assert_neq(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	(void)sigfillset(&mask);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);

	sig_reset_all();
	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int number = 1; number < NSIG; number++) {
		cr_assert_neq(sigismember(&mask, number), 1, "%s is blocked", sig_name(number));
		if (sigaction(number, NULL, &action) == 0)
			cr_assert_eq(action.sa_handler, SIG_DFL, "%s has a handler", sig_name(number));
	}
}
