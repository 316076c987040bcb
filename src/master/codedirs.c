/* SPDX-License-Identifier: MIT */
/*
 * codedirs.c - the folders that --reload watches, by inotify.
 *
 * Called by codewatch.c and the loop. Reads no file; a look at a folder's files is one stat() for each that is known.
 */
#include "base/base.h"

#include "master/codewatch_internal.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/codewatch.h"

/* ---- events ---- */

static void look_at_file(struct codewatch *watch, struct code_file *file)
{
	struct code_stamp now = code_stamp_of(file->path);

	if (!code_stamp_is_change(&file->stamp, &now))
		return;
	file->stamp = now;
	codewatch_note_change(watch, file->path);
}

static bool is_in_folder(const char *path, const char *folder)
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(folder);

	return slash != NULL && (size_t)(slash - path) == len && memcmp(path, folder, len) == 0;
}

static void look_at_folder(struct codewatch *watch, const char *folder)
{
	for (size_t i = 0; i < watch->files.count; i++)
		if (is_in_folder(watch->files.items[i].path, folder))
			look_at_file(watch, &watch->files.items[i]);
}

/* Of something without a suffix only a new folder may be imported; our own log may lie here, too, and grows with each failure. */
static bool is_new_module(const char *path, const char *name, int events)
{
	struct stat info;

	if (!code_is_importable(name))
		return false;
	return strchr(name, '.') != NULL ||
	       ((events & UV_RENAME) != 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

/* inotify tells of the folder itself by its last name, and never again once it has been removed or moved. */
static bool is_own_name(const char *folder, const char *name)
{
	const char *slash = strrchr(folder, '/');

	return slash != NULL && strcmp(slash + 1, name) == 0;
}

static bool has_been_replaced(const struct code_dir *dir)
{
	struct code_stamp now = code_stamp_of(dir->path);

	return now.inode != dir->watched.inode || now.device != dir->watched.device;
}

static void on_dir_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct code_dir *dir = event->data;
	struct codewatch *watch = dir->master->code;

	if (status < 0 || name == NULL) {
		/* Too much at once: anything may have changed. */
		look_at_folder(watch, dir->path);
	} else if ((events & UV_RENAME) != 0 && is_own_name(dir->path, name)) {
		dir->is_lost = true;
		watch->return_ms = clock_ms() + CODE_LOOK_MS;
	} else {
		char *path = xasprintf("%s/%s", dir->path, name);
		struct code_file *file = code_files_find(&watch->files, path);

		if (file != NULL)
			look_at_file(watch, file);
		else if (watch->is_broken && is_new_module(path, name, events))
			codewatch_note_change(watch, path);
		free(path);
	}
	master_update(dir->master);
}

static void free_dir(struct code_dir *dir)
{
	free(dir->path);
	free(dir);
}

static void on_dir_closed(uv_handle_t *handle)
{
	free_dir(handle->data);
}

void code_dirs_remove(struct code_dir *dir)
{
	list_remove(&dir->link);
	if (dir->has_event && !uv_is_closing((uv_handle_t *)&dir->event))
		uv_close((uv_handle_t *)&dir->event, on_dir_closed);
	else
		free_dir(dir);
}

/* 0 or -errno, a libuv error code being one. */
static int start_event(struct code_dir *dir)
{
	int error = uv_fs_event_init(&dir->master->loop, &dir->event);

	if (error != 0)
		return error;
	dir->has_event = true;
	dir->event.data = dir;
	dir->watched = code_stamp_of(dir->path);
	return uv_fs_event_start(&dir->event, on_dir_event, dir->path, 0);
}

/* ---- folders ---- */

struct code_dir *code_dirs_find(struct codewatch *watch, const char *path)
{
	LIST_EACH(&watch->dirs, it)
	{
		struct code_dir *dir = LIST_ENTRY(it, struct code_dir, link);

		if (strcmp(dir->path, path) == 0)
			return dir;
	}
	return NULL;
}

void code_dirs_begin_polling(struct codewatch *watch)
{
	watch->is_polling = true;
	watch->look_ms = clock_ms() + CODE_LOOK_MS;
}

void code_dirs_add(struct master *master, const char *path)
{
	struct codewatch *watch = master->code;
	struct code_dir *dir;
	int error;

	if (code_dirs_find(watch, path) != NULL)
		return;
	dir = xcalloc(1, sizeof(*dir));
	dir->master = master;
	dir->path = xstrdup(path);
	list_add_tail(&watch->dirs, &dir->link);
	if (watch->is_polling)
		return;
	error = start_event(dir);
	if (error == 0 || error == -ENOENT || error == -ENOTDIR) /* modules may come from places that are no folders: a zip */
		return;
	log_warning("inotify can't watch '%s': %s. Files are looked at each second instead", path, strerror(-error));
	code_dirs_begin_polling(watch);
}

/* Another folder has the path of one that was removed or moved: a checkout, a copy, an unpacked archive. */
void code_dirs_watch_again(struct master *master)
{
	struct codewatch *watch = master->code;
	bool is_missing = false;

	LIST_EACH(&watch->dirs, it)
	{
		struct code_dir *dir = LIST_ENTRY(it, struct code_dir, link);

		if (!dir->is_lost && !has_been_replaced(dir))
			continue;
		if (code_stamp_of(dir->path).inode == 0) {
			is_missing = true;
			continue;
		}

		char *path = xstrdup(dir->path);

		code_dirs_remove(dir);
		code_dirs_add(master, path);
		look_at_folder(watch, path);
		free(path);
	}
	watch->return_ms = is_missing ? clock_ms() + CODE_LOOK_MS : 0;
}
