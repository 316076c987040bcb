/* SPDX-License-Identifier: MIT */
/*
 * replay_main.c - runs a fuzzer over files when there is no libFuzzer: what was found once stays mended.
 *
 * Arguments: files and folders. Says how many files it played; ends with 1 when there was none.
 */
#include "base/base.h"

#include <dirent.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replay_file(const char *path)
{
	FILE *file = fopen(path, "re");
	struct buf data = BUF_NONE;
	char part[4096];
	size_t got;

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 0;
	}
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(&data, part, got);
	fclose(file);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)(data.data != NULL ? data.data : ""), data.len);
	buf_release(&data);
	return 1;
}

static size_t replay(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	if (dir == NULL)
		return replay_file(path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		char *inside = xasprintf("%s/%s", path, entry->d_name);
		count += replay(inside);
		free(inside);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%zu files\n", count);
	return count > 0 ? 0 : 1;
}
