/* SPDX-License-Identifier: MIT */
/*
 * codefiles.c - the files that the application is made of, and how they looked last.
 *
 * Called by codewatch.c, the looks at the disk also on libuv's thread pool. Never logs; knows nothing of the loop.
 */
#include "base/base.h"

#include "master/codefiles.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/span.h"

void code_files_release(struct code_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->items[i].path);
	free(files->items);
	memset(files, 0, sizeof(*files));
}

/* Where it is, or where it belongs. */
static size_t place_of(const struct code_files *files, const char *path)
{
	size_t low = 0;
	size_t high = files->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(files->items[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct code_file *code_files_find(const struct code_files *files, const char *path)
{
	size_t place = place_of(files, path);

	return place < files->count && strcmp(files->items[place].path, path) == 0 ? &files->items[place] : NULL;
}

struct code_file *code_files_add(struct code_files *files, const char *path, bool *ret_is_new)
{
	size_t place = place_of(files, path);
	struct code_file *at;

	*ret_is_new = place == files->count || strcmp(files->items[place].path, path) != 0;
	if (!*ret_is_new)
		return &files->items[place];
	if (files->count == files->room) {
		files->room = MAX(2 * files->room, (size_t)64);
		files->items = xrealloc(files->items, files->room * sizeof(*files->items));
	}
	at = &files->items[place];
	memmove(at + 1, at, (files->count - place) * sizeof(*at));
	files->count++;
	*at = (struct code_file){ .path = xstrdup(path) };
	return at;
}

void code_files_drop_older(struct code_files *files, uint32_t oldest)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->count; i++) {
		if (files->items[i].generation < oldest)
			free(files->items[i].path);
		else
			files->items[kept++] = files->items[i];
	}
	files->count = kept;
}

struct code_stamp code_stamp_of(const char *path)
{
	struct stat info;

	if (stat(path, &info) != 0)
		return (struct code_stamp){ 0 };
	return (struct code_stamp){
		.device = (uint64_t)info.st_dev,
		.inode = (uint64_t)info.st_ino,
		.size_bytes = (uint64_t)info.st_size,
		.changed_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec,
	};
}

static bool is_missing(const struct code_stamp *stamp)
{
	return stamp->inode == 0 && stamp->device == 0;
}

bool code_stamp_is_change(const struct code_stamp *before, const struct code_stamp *now)
{
	if (is_missing(now))
		return false;
	return before->device != now->device || before->inode != now->inode || before->size_bytes != now->size_bytes ||
	       before->changed_ns != now->changed_ns;
}

bool code_stamp_is_younger(const struct code_stamp *stamp, uint64_t since_ms, uint64_t now_ms)
{
	int64_t changed_ms = stamp->changed_ns / 1000000;

	return since_ms != 0 && changed_ms > (int64_t)since_ms && changed_ms <= (int64_t)now_ms;
}

bool code_is_importable(const char *name)
{
	struct span text = span_from_str(name);

	if (name[0] == '.' || strcmp(name, "__pycache__") == 0)
		return false;
	return strchr(name, '.') == NULL || span_ends_with(text, SPAN_LIT(".py"));
}

uint64_t code_listing_of(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	uint64_t sum = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		uint64_t hash = 14695981039346656037U; /* FNV-1a */

		if (!code_is_importable(entry->d_name))
			continue;
		for (const char *c = entry->d_name; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * 1099511628211U;
		sum += hash; /* in whatever order the folder gives them */
	}
	(void)closedir(dir);
	return sum | 1;
}
