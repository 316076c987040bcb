/* SPDX-License-Identifier: MIT */
/*
 * birth.h - from the master's wish for a worker to a forked worker.
 */
#ifndef WORKER_BIRTH_H
#define WORKER_BIRTH_H

#include "base/base.h"
#include "shared/message.h"
#include "worker/template.h"

/*
 * Carries out a message `fork_worker`, of which it takes the link: runs pre_fork, forks, tells the master how it went. In
 * the worker it never returns. GIL held. TEMPLATE_STAYS, or the exit code when the master is gone.
 */
int birth_of_worker(struct template *self, struct message *message);

#endif
