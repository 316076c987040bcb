/* SPDX-License-Identifier: MIT */
/*
 * unit_tree.h - files of the kernel that are not the kernel's: a folder with its own /proc and /sys.
 */
#ifndef UNIT_TREE_H
#define UNIT_TREE_H

#include "base/base.h"

struct tree {
	char root[64];
};

void tree_make(struct tree *tree);
void tree_remove(struct tree *tree);
/* A file with that text below the root; folders are made as needed. An existing one is changed, not replaced: open fds see it. */
void tree_put(struct tree *tree, const char *path, const char *text);
void tree_putf(struct tree *tree, const char *path, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* a then b; valid until the next call but one. */
const char *tree_join(const char *a, const char *b);

#endif
