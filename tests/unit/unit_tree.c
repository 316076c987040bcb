/* SPDX-License-Identifier: MIT */
/*
 * unit_tree.c - files of the kernel that are not the kernel's.
 */
#include "base/base.h"

#include "unit_tree.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"

void tree_make(struct tree *tree)
{
	(void)snprintf(tree->root, sizeof(tree->root), "/tmp/gunwale-tree-XXXXXX");
	cr_assert_not_null(mkdtemp(tree->root));
}

static int remove_one(const char *path, const struct stat *status ATTR_UNUSED, int type ATTR_UNUSED,
                      struct FTW *where ATTR_UNUSED)
{
	return remove(path);
}

void tree_remove(struct tree *tree)
{
	cr_assert_eq(nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_put(struct tree *tree, const char *path, const char *text)
{
	char whole[PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s%s", tree->root, path);
	for (char *slash = whole + strlen(tree->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0755);
		*slash = '/';
	}

	int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0, "%s: %s", whole, strerror(errno));
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

void tree_putf(struct tree *tree, const char *path, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, fmt);
	cr_assert_geq(vasprintf(&text, fmt, args), 0);
	va_end(args);
	tree_put(tree, path, text);
	free(text);
}

const char *tree_join(const char *a, const char *b)
{
	static char joined[2][PATH_MAX];
	static int which;

	which = 1 - which;
	(void)snprintf(joined[which], sizeof(joined[which]), "%s%s", a, b);
	return joined[which];
}
