/* SPDX-License-Identifier: MIT */
/*
 * codewatch.c - --reload: watches the files that the workers have loaded.
 *
 * Called by workers.c, rollover.c and master.c. Knows only when to reload; how is rollover.c's. For development: what was just
 * reported to have changed is looked at on the loop, everything else on libuv's thread pool.
 */
#include "base/base.h"

#include "master/codewatch.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/span.h"
#include "master/codewatch_internal.h"
#include "master/master.h"
#include "master/rollover.h"
#include "shared/settings_types.h"

static uint64_t wall_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void codewatch_note_change(struct codewatch *watch, const char *path)
{
	uint64_t now_ms = clock_ms();

	if (watch->changed == NULL) {
		watch->changed = xstrdup(path);
		watch->first_ms = now_ms;
	}
	watch->due_ms = MIN(now_ms + CODE_SETTLE_MS, watch->first_ms + CODE_SETTLE_MAX_MS);
}
/* ---- engine poll ---- */

struct look {
	uv_work_t work;
	struct master *master;
	struct code_file *files; /* copies, with their own paths; the stamps become today's */
	size_t file_count;
	char **dirs;
	uint64_t *listings;
	size_t dir_count; /* 0 unless something is broken */
};

static void free_look(struct look *look)
{
	for (size_t i = 0; i < look->file_count; i++)
		free(look->files[i].path);
	for (size_t i = 0; i < look->dir_count; i++)
		free(look->dirs[i]);
	free(look->files);
	free(look->dirs);
	free(look->listings);
	free(look);
}

static void on_pool_thread(uv_work_t *work)
{
	struct look *look = work->data;

	for (size_t i = 0; i < look->file_count; i++)
		look->files[i].stamp = code_stamp_of(look->files[i].path);
	for (size_t i = 0; i < look->dir_count; i++)
		look->listings[i] = code_listing_of(look->dirs[i]);
}

static void on_looked(uv_work_t *work, int cancelled)
{
	struct look *look = work->data;
	struct master *master = look->master;
	struct codewatch *watch = master->code;

	watch->is_looking = false;
	watch->look_ms = clock_ms() + (watch->wants_listings ? 0 : CODE_LOOK_MS);
	for (size_t i = 0; cancelled == 0 && i < look->file_count; i++) {
		struct code_file *file = code_files_find(&watch->files, look->files[i].path);

		if (file == NULL || !code_stamp_is_change(&file->stamp, &look->files[i].stamp))
			continue;
		file->stamp = look->files[i].stamp;
		codewatch_note_change(watch, file->path);
	}
	for (size_t i = 0; cancelled == 0 && i < look->dir_count; i++) {
		struct code_dir *dir = code_dirs_find(watch, look->dirs[i]);

		if (dir == NULL)
			continue;
		if (dir->listing != 0 && dir->listing != look->listings[i] && watch->is_broken)
			codewatch_note_change(watch, dir->path);
		dir->listing = look->listings[i];
	}
	free_look(look);
	master_update(master);
}

static void begin_look(struct master *master)
{
	struct codewatch *watch = master->code;
	struct look *look = xcalloc(1, sizeof(*look));
	size_t dir_count = 0;

	look->work.data = look;
	look->master = master;
	look->files = xcalloc(watch->files.count + 1, sizeof(*look->files));
	for (; look->file_count < watch->files.count; look->file_count++)
		look->files[look->file_count].path = xstrdup(watch->files.items[look->file_count].path);
	LIST_EACH(&watch->dirs, it)
	dir_count++;
	look->dirs = xcalloc(dir_count + 1, sizeof(*look->dirs));
	look->listings = xcalloc(dir_count + 1, sizeof(*look->listings));
	watch->wants_listings = false;
	if (watch->is_broken) {
		LIST_EACH(&watch->dirs, it)
		look->dirs[look->dir_count++] = xstrdup(LIST_ENTRY(it, struct code_dir, link)->path);
	}
	if (uv_queue_work(&master->loop, &look->work, on_pool_thread, on_looked) != 0) {
		free_look(look);
		watch->look_ms = clock_ms() + CODE_LOOK_MS;
		return;
	}
	watch->is_looking = true;
	watch->look_ms = 0;
}

/* ---- doors ---- */

static struct codewatch *new_watch(const struct settings *settings)
{
	struct codewatch *watch = xcalloc(1, sizeof(*watch));

	list_init(&watch->dirs);
	if (settings->reload_engine == setting_find_word(setting_rows[S_reload_engine].words, "poll"))
		code_dirs_begin_polling(watch);
	return watch;
}

static void add_dir_of(struct master *master, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash != NULL && slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");

	code_dirs_add(master, folder);
	free(folder);
}

static void add_file(struct master *master, uint32_t generation, uint64_t since_ms, const char *path)
{
	struct codewatch *watch = master->code;
	bool is_new;
	struct code_file *file = code_files_add(&watch->files, path, &is_new);

	file->generation = MAX(file->generation, generation);
	if (!is_new)
		return;
	/* First the watch, then the look: what changes in between is seen by either. */
	add_dir_of(master, path);
	file->stamp = code_stamp_of(path);
	if (code_stamp_is_younger(&file->stamp, since_ms, wall_ms()))
		codewatch_note_change(watch, path);
}

/* A symbolic link is watched where it lies and where it points to. */
static void add_path(struct master *master, uint32_t generation, uint64_t since_ms, const char *path)
{
	char *target;

	if (path[0] != '/')
		return;
	add_file(master, generation, since_ms, path);
	target = realpath(path, NULL);
	if (target != NULL && strcmp(target, path) != 0)
		add_file(master, generation, since_ms, target);
	free(target);
}

void codewatch_on_files(struct master *master, uint32_t generation, uint64_t since_ms, const char *files)
{
	struct span rest = span_from_str(files);
	struct span line;

	if (stop_is_on(&master->stop))
		return;
	if (master->code == NULL)
		master->code = new_watch(&master->settings);
	while (span_split(&rest, '\n', &line)) {
		char *path = span_dup(line);

		if (line.len > 1 && path[line.len - 1] == '/') {
			path[line.len - 1] = '\0';
			code_dirs_add(master, path);
		} else if (line.len > 0) {
			add_path(master, generation, since_ms, path);
		}
		free(path);
	}
}

void codewatch_on_broken(struct master *master)
{
	struct codewatch *watch = master->code;

	if (watch == NULL || watch->is_broken)
		return;
	watch->is_broken = true;
	watch->wants_listings = true;
	watch->look_ms = clock_ms();
}

static void stop_watching(struct codewatch *watch)
{
	LIST_EACH(&watch->dirs, it)
	code_dirs_remove(LIST_ENTRY(it, struct code_dir, link));
	code_files_release(&watch->files);
	free(watch->changed);
	watch->changed = NULL;
	watch->due_ms = watch->return_ms = 0;
}

void codewatch_on_commit(struct master *master, uint32_t generation)
{
	struct codewatch *watch = master->code;

	if (watch == NULL)
		return;
	watch->is_broken = false;
	LIST_EACH(&watch->dirs, it)
	LIST_ENTRY(it, struct code_dir, link)->listing = 0;
	if (master->settings.reload)
		code_files_drop_older(&watch->files, generation);
	else
		stop_watching(watch);
}

void codewatch_on_time(struct master *master, uint64_t now_ms)
{
	struct codewatch *watch = master->code;

	if (watch == NULL || stop_is_on(&master->stop))
		return;
	if (watch->is_polling && !watch->is_looking && watch->files.count > 0 && now_ms >= watch->look_ms)
		begin_look(master);
	if (watch->return_ms != 0 && now_ms >= watch->return_ms)
		code_dirs_watch_again(master);
	if (watch->changed == NULL || now_ms < watch->due_ms)
		return;

	char *path = watch->changed;

	watch->changed = NULL;
	watch->due_ms = 0;
	rollover_on_code_change(master, path);
	free(path);
}

uint64_t codewatch_next_ms(const struct master *master)
{
	const struct codewatch *watch = master->code;

	if (watch == NULL || stop_is_on(&master->stop))
		return 0;
	if (watch->due_ms != 0)
		return watch->due_ms;
	if (watch->return_ms != 0)
		return watch->return_ms;
	return watch->is_polling && !watch->is_looking && watch->files.count > 0 ? watch->look_ms : 0;
}

void codewatch_release(struct master *master)
{
	struct codewatch *watch = master->code;

	if (watch == NULL)
		return;
	/* The loop has closed the handles. */
	LIST_EACH(&watch->dirs, it)
	{
		struct code_dir *dir = LIST_ENTRY(it, struct code_dir, link);

		dir->has_event = false;
		code_dirs_remove(dir);
	}
	code_files_release(&watch->files);
	free(watch->changed);
	free(watch);
	master->code = NULL;
}
