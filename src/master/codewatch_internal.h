/* SPDX-License-Identifier: MIT */
/*
 * codewatch_internal.h - between codewatch.c and codedirs.c. Nobody else includes it.
 */
#ifndef MASTER_CODEWATCH_INTERNAL_H
#define MASTER_CODEWATCH_INTERNAL_H

#include "base/base.h"
#include "base/list.h"
#include "master/codefiles.h"
#include "master/master.h"

struct code_dir {
	struct list link;
	struct master *master;
	char *path;
	uv_fs_event_t event; /* engine inotify */
	bool has_event;
	bool is_lost;              /* engine inotify: removed or moved; may be back by now, even with the same inode */
	struct code_stamp watched; /* engine inotify: which folder it is, whatever its path names now */
	uint64_t listing;          /* engine poll: 0: not looked at yet */
};

struct codewatch {
	struct code_files files;
	struct list dirs;
	bool is_polling;
	bool is_looking;      /* a look is on the thread pool */
	bool is_broken;
	bool wants_listings;  /* engine poll: what is in the folders must be known soon, before the cure appears */
	uint64_t look_ms;     /* engine poll: when to look next */
	uint64_t return_ms;   /* engine inotify: a folder was removed; when to look whether it is back */
	char *changed;        /* the first file that changed; NULL: none */
	uint64_t first_ms;    /* when that was */
	uint64_t due_ms;      /* when to reload */
};

/* codewatch.c: a reload follows when no more changes come. */
void codewatch_note_change(struct codewatch *watch, const char *path);

/* codedirs.c: NULL: the folder is not watched. */
struct code_dir *code_dirs_find(struct codewatch *watch, const char *path);
/* Watches the folder from now on; where inotify can't, everything is polled. A folder that is there already stays as it is. */
void code_dirs_add(struct master *master, const char *path);
void code_dirs_remove(struct code_dir *dir);
/* Those that were replaced by others of the same name are watched anew, and looked at; it asks for another call by return_ms. */
void code_dirs_watch_again(struct master *master);
void code_dirs_begin_polling(struct codewatch *watch);

#endif
