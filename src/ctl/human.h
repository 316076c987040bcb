/* SPDX-License-Identifier: MIT */
/*
 * human.h - numbers and texts for people: short, and harmless on a terminal.
 */
#ifndef CTL_HUMAN_H
#define CTL_HUMAN_H

#include "base/base.h"
#include "base/buf.h"

#include <jansson.h>

/* Room for any of the texts below. */
struct human {
	char text[32];
};

/* "512", "14.5K", "256M", "1.2G"; "-" for what is no number. */
struct human human_size(const json_t *bytes);
/* "850ms", "42s", "3m12s", "5h04m", "2d03h"; "-". */
struct human human_duration(const json_t *seconds);
/* "12345", "123M"; "-". */
struct human human_count(const json_t *count);
/* Adds a text that others wrote: control characters, which may do anything to a terminal, become question marks. */
void human_add_text(struct buf *into, const char *text);
/* Cuts the line, which begins at `begin`, to so many columns, a character each. */
void human_cut_line(struct buf *into, size_t begin, size_t columns);

#endif
