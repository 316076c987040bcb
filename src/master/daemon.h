/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - leave the terminal.
 */
#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H

#include "base/base.h"
#include "base/err.h"

/*
 * Forks twice and starts a session; the calling process ends with 0, the function returns in the grandchild, with /dev/null as
 * fds 0 to 2 (keeps_stdio: 1 and 2 stay unless they are terminals) and umask 022. No loop may be open and no thread may run. 0 or -errno with a sentence.
 */
int daemon_detach(bool keeps_stdio, struct err *err);

#endif
