/* SPDX-License-Identifier: MIT */
/*
 * logrelay.h - the master's log lines, through the Python logger of a template.
 *
 * The master runs no Python. Where the settings, or code of the user, have a Python logger write the log, a line goes to a
 * template as a message, and is kept until that says it is logged: when the template ends first, or none can take lines, the
 * master writes them itself.
 */
#ifndef MASTER_LOGRELAY_H
#define MASTER_LOGRELAY_H

#include "base/base.h"
#include "base/list.h"
#include "shared/settings.h"

struct master;
struct template;

struct logrelay {
	struct list lines; /* struct relayed, oldest first */
	size_t count;
	uint32_t last_serial;
	bool is_holding;   /* the first template has not said yet whether it has a logger */
};

void logrelay_init(struct logrelay *relay);
/* At the start: the lines wait for the first template's logger where these settings want one. */
void logrelay_hold(struct master *master, const struct settings *settings);
/* A template said whether it has a logger, or another generation has taken over. */
void logrelay_update(struct master *master);
/* A template has logged the lines up to this one. */
void logrelay_done(struct master *master, const struct template *template, uint32_t serial);
/* A template ends: what it has not logged is logged in another way. It is on the master's list still. */
void logrelay_template_gone(struct master *master, const struct template *template);
/* The end: what is left is written, and every line from now on. */
void logrelay_finish(struct master *master);

#endif
