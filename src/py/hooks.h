/* SPDX-License-Identifier: MIT */
/*
 * hooks.h - the hooks of the configuration file by number (tables/hooks.def).
 */
#ifndef PY_HOOKS_H
#define PY_HOOKS_H

#include "base/base.h"

enum hook_id {
#define HOOK(name, parameters, process, text) HOOK_##name,
#include "tables/hooks.def"
#undef HOOK
	HOOK_MAX
};

/* "pre_fork"; NULL when id is out of range. */
const char *hook_name(uint32_t id);
/* Whether the hook is one that the template runs. */
bool hook_is_of_template(uint32_t id);
/*
 * Runs a server hook in the template, with arguments as JSON (see messages.def); quiet when the configuration file did not
 * define it. GIL held. HOOK_DONE, HOOK_RAISED (ret_text is the traceback) or the code of its sys.exit() (ret_text is what that
 * said); the caller frees.
 */
int hook_run(uint32_t id, const char *arguments, char **ret_text);

enum { HOOK_DONE = -1, HOOK_RAISED = 256 }; /* template.py: GO_ON, RAISED */

#endif
