/* SPDX-License-Identifier: MIT */
/*
 * rollover.h - generations take over, fail, are replaced: the first one's start, a reload's canary and commit, a template that
 * died.
 */
#ifndef MASTER_ROLLOVER_H
#define MASTER_ROLLOVER_H

#include "base/base.h"
#include "master/slot.h"
#include "master/template.h"

struct master;
struct template;

/* SIGHUP. */
void rollover_reload(struct master *master);
/* --reload: a file of the application has changed. */
void rollover_on_code_change(struct master *master, const char *path);
/* The reload under way has failed; why: one sentence. The present generation goes on. */
void rollover_fail(struct master *master, const char *why);
/* The service stops: a reload under way is forgotten. */
void rollover_cancel_reload(struct master *master);
/* TTIN, TTOU, WINCH: another number of workers, until the next reload. */
void rollover_set_target(struct master *master, long target);

/* What templates.c found out. */
void rollover_on_loaded(struct template *template);
void rollover_on_failed(struct template *template, int exit_code, const char *text);
void rollover_on_template_gone(struct template *template, enum template_action action, int status);
/* What workers.c found out. */
void rollover_on_worker_ready(struct master *master, uint32_t slot);
/* --reload: the application of the worker in that slot can't be loaded; it serves an error page instead. */
void rollover_on_code_broken(struct master *master, uint32_t slot, const char *why);
void rollover_on_worker_end(struct master *master, uint32_t slot, const struct slot_facts *facts, int status,
                            const char *last_words);

#endif
