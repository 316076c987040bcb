/* SPDX-License-Identifier: MIT */
/*
 * replacement.h - another template for a generation whose own has died: at once, then with back-off. Its workers go on meanwhile.
 */
#ifndef MASTER_REPLACEMENT_H
#define MASTER_REPLACEMENT_H

#include "base/base.h"

struct master;
struct template;

/* The pool's template has died, or its replacement before it was ready. */
void replacement_plan(struct master *master, bool is_before_ready);
/* The replacement can fork. */
void replacement_on_ready(struct template *template);
/* Starts it when it is time to; 0 from replacement_next_ms(): none is planned. */
void replacement_on_time(struct master *master, uint64_t now_ms);
uint64_t replacement_next_ms(const struct master *master);

#endif
