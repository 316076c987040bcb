/* SPDX-License-Identifier: MIT */
/*
 * generation.h - a generation's way from a template that knows its configuration to workers that serve: check, bind, go,
 * canary, commit; at the start of the program, at a reload, and when a template has died.
 */
#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

#include "base/base.h"
#include "base/err.h"
#include "master/slot.h"
#include "master/template.h"

struct master;
struct template;

/* The first generation. 0 or -errno with a sentence. */
int generation_start_first(struct master *master, struct err *err);
/* SIGHUP. */
void generation_reload(struct master *master);

/* The service stops: a reload under way is forgotten. */
void generation_cancel_reload(struct master *master);
/* TTIN, TTOU, WINCH: another number of workers, until the next reload. */
void generation_set_target(struct master *master, long target);

/* What templates.c and workers.c found out. */
void generation_on_configured(struct template *template);
void generation_on_loaded(struct template *template);
void generation_on_failed(struct template *template, int exit_code, const char *text);
void generation_on_template_gone(struct template *template, enum template_action action, int status);
void generation_on_worker_ready(struct master *master, uint32_t slot);
void generation_on_worker_end(struct master *master, uint32_t slot, const struct slot_facts *facts, int status);
/* It is time to try again to bind, or to replace a template. */
void generation_on_retry(struct template *template);
void generation_on_time(struct master *master, uint64_t now_ms);
uint64_t generation_next_ms(const struct master *master);

#endif
