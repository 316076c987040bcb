/* SPDX-License-Identifier: MIT */
/*
 * webstatus.h - status_bind: /status, /health, /ready and /metrics over HTTP, from the master itself.
 */
#ifndef MASTER_WEBSTATUS_H
#define MASTER_WEBSTATUS_H

#include "base/base.h"
#include "base/err.h"
#include "shared/settings.h"

struct door;
struct master;

/* Zeroed: not open. */
struct webstatus {
	struct door *door;
	char *address;       /* as status_bind said it; owned */
	bool waits;          /* for the other master to leave the address; see webstatus_promote() */
};

/* Whether status_bind makes sense. 0, or -EINVAL with a sentence. */
int webstatus_check(const struct settings *settings, struct err *err);
/*
 * Opens, moves or closes it, as master->settings say now. 0 or -errno with a sentence; then the old address stays open. A second
 * master (upgrade.h) may have to wait for the address: that is no error.
 */
int webstatus_update(struct master *master, struct err *err);
/* The other master has left. */
void webstatus_promote(struct master *master);
void webstatus_close(struct webstatus *webstatus);

#endif
