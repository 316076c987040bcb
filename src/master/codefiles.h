/* SPDX-License-Identifier: MIT */
/*
 * codefiles.h - the files that the application is made of, and how they looked last (--reload).
 *
 * Pure but for code_stamp_of() and code_listing_of(), which look at the disk and may be called on any thread.
 */
#ifndef MASTER_CODEFILES_H
#define MASTER_CODEFILES_H

#include "base/base.h"

/* How a file looked; all zero: it was not there. */
struct code_stamp {
	uint64_t device;
	uint64_t inode;
	uint64_t size_bytes;
	int64_t changed_ns; /* mtime, wall clock */
};

struct code_file {
	char *path;
	struct code_stamp stamp;
	uint32_t generation; /* the youngest that uses it */
};

/* A zeroed struct is an empty table. */
struct code_files {
	struct code_file *items; /* sorted by path */
	size_t count;
	size_t room;
};

void code_files_release(struct code_files *files);
/* NULL when it is not in the table. Valid until the table changes. */
struct code_file *code_files_find(const struct code_files *files, const char *path);
/* The entry, made with an empty stamp if need be. Valid until the table changes. */
struct code_file *code_files_add(struct code_files *files, const char *path, bool *ret_is_new);
/* Forgets what no generation from `oldest` on uses. */
void code_files_drop_older(struct code_files *files, uint32_t oldest);

struct code_stamp code_stamp_of(const char *path);
/* A new look is a change, unless the file is just missing: an editor may be replacing it. */
bool code_stamp_is_change(const struct code_stamp *before, const struct code_stamp *now);
/* Changed after since_ms (wall clock; 0: never) and not in the future, where a wrong clock would make it change for ever. */
bool code_stamp_is_younger(const struct code_stamp *stamp, uint64_t since_ms, uint64_t now_ms);

/* Could a file or folder of that name be what a failed import was looking for? */
bool code_is_importable(const char *name);
/* A number that differs when importable names came or went; 0 when the folder can't be read. */
uint64_t code_listing_of(const char *folder);

#endif
