/* SPDX-License-Identifier: MIT */
/*
 * generation.h - a generation's way from a template that knows its configuration to the settings and sockets it goes on with.
 */
#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

#include "base/base.h"
#include "base/err.h"

struct master;
struct template;

/* The first generation. 0 or -errno with a sentence. */
int generation_start_first(struct master *master, struct err *err);
/* The template sent its configuration's values: checks them, binds, tells it to go. A failure is the role's business. */
void generation_on_configured(struct template *template);
/* It is time to try again to bind. */
void generation_on_retry(struct template *template);

#endif
