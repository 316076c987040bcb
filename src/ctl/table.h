/* SPDX-License-Identifier: MIT */
/*
 * table.h - the status document as a page for people. Pure.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "base/base.h"
#include "base/buf.h"

#include <jansson.h>

struct table_view {
	size_t columns;   /* of the screen */
	size_t rows;      /* lines at most; 0: as many as it takes */
	bool is_cut;      /* no line is longer than the screen; else only the workers' lines aren't */
	bool is_by_rss;   /* the fattest worker first; else by slot */
};

void table_add_status(struct buf *into, const json_t *status, const struct table_view *view);
void table_add_limits(struct buf *into, const json_t *limits);
void table_add_config(struct buf *into, const json_t *settings);

#endif
