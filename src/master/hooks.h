/* SPDX-License-Identifier: MIT */
/*
 * hooks.h - what the master makes of a server hook that failed in the template.
 *
 * Used by templates.c.
 */
#ifndef GUNWALE_MASTER_HOOKS_H
#define GUNWALE_MASTER_HOOKS_H

#include "base/base.h"

struct master;

/*
 * Says that the hook (enum hook_id) failed. exit_code: -1 when it raised, else that of its sys.exit(). text: the traceback, or
 * what sys.exit() was told; may be empty. Ends the server where gunicorn's start would have ended, and after sys.exit().
 */
void hooks_on_failed(struct master *master, uint32_t hook, int exit_code, const char *text);

#endif
