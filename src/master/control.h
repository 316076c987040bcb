/* SPDX-License-Identifier: MIT */
/*
 * control.h - the control socket: gunwalectl's end in the master.
 *
 * One JSON object a line in, one out: {"command": "status"} gives {"ok": true, ...} or {"ok": false, "error": "one sentence"}
 * (docs/status.md). Only root and the user that the master runs as are answered.
 */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include "base/base.h"

#include <jansson.h>

struct door;
struct master;

/* Zeroed: not open. */
struct control {
	struct door *door;
	char *path;          /* owned */
	long mode;
};

/*
 * Opens, moves or closes it, as master->settings say now, and under its second name (upgrade.h) as long as there is another master.
 * What goes wrong is logged; the service goes on, with the old socket if there was one.
 */
void control_update(struct master *master);
void control_close(struct control *control);

#endif
