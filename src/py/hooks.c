/* SPDX-License-Identifier: MIT */
/*
 * hooks.c - the hooks of the configuration file by number (tables/hooks.def).
 *
 * Called by worker/template.c for the server's hooks; the worker's own are called by python/gunwale/life.py.
 * Must not decide what a failed hook means.
 */
#include "base/base.h"

#include "py/hooks.h"

#include "py/py.h"

#include "py/boot.h"

static const struct {
	const char *name;
	const char *process;
} rows[HOOK_MAX] = {
#define HOOK(name, parameters, process, text) [HOOK_##name] = { #name, #process },
#include "tables/hooks.def"
#undef HOOK
};

const char *hook_name(uint32_t id)
{
	return id < HOOK_MAX ? rows[id].name : NULL;
}

bool hook_is_of_template(uint32_t id)
{
	return id < HOOK_MAX && strcmp(rows[id].process, "TEMPLATE") == 0;
}

int hook_run(uint32_t id, const char *arguments, char **ret_text)
{
	return boot_call_template("run_hook", ret_text, "(ss)", hook_name(id), arguments != NULL ? arguments : "");
}
