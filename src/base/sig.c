/* SPDX-License-Identifier: MIT */
/*
 * sig.c - signal names, and a clean slate for a new process.
 *
 * Called for log lines and between fork and exec. Installs no handler.
 */
#include "base/base.h"

#include "base/sig.h"

#include <signal.h>

#define NAME(x) [SIG##x] = "SIG" #x
static const char *const names[] = {
	NAME(HUP),  NAME(INT),  NAME(QUIT),   NAME(ILL),  NAME(TRAP),   NAME(ABRT),  NAME(BUS),  NAME(FPE),
	NAME(KILL), NAME(USR1), NAME(SEGV),   NAME(USR2), NAME(PIPE),   NAME(ALRM),  NAME(TERM), NAME(STKFLT),
	NAME(CHLD), NAME(CONT), NAME(STOP),   NAME(TSTP), NAME(TTIN),   NAME(TTOU),  NAME(URG),  NAME(XCPU),
	NAME(XFSZ), NAME(VTALRM), NAME(PROF), NAME(WINCH), NAME(IO),    NAME(PWR),   NAME(SYS),
};
#undef NAME

const char *sig_name(int number)
{
	static _Thread_local char unknown[24];
	if (number > 0 && (size_t)number < ARRAY_LEN(names) && names[number] != NULL)
		return names[number];
	(void)snprintf(unknown, sizeof unknown, "SIG%d", number);
	return unknown;
}

void sig_reset_all(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	(void)sigemptyset(&action.sa_mask);
	/* KILL, STOP and the two that libc keeps for itself refuse, which is fine. */
	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &action, NULL);
	(void)sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}
