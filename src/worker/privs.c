/* SPDX-License-Identifier: MIT */
/*
 * privs.c - user and group of a worker.
 *
 * Called by worker.c after the fork, by template.c for log files. Must not log.
 */
#include "base/base.h"

#include "worker/privs.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/fd.h"

/* A user without a name has no groups to look up: gunicorn skips that silently. */
static int set_groups(uid_t uid, gid_t gid, struct err *err)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry == NULL)
		return 0;
	if (initgroups(entry->pw_name, gid) != 0)
		return err_set_errno(err, -errno, "cannot take the groups of user %s", entry->pw_name);
	return 0;
}

/*
 * Those of whoever started the server, most often root's, are not for its workers; gunicorn leaves them. Where the kernel does
 * not let us (a container without the right to), they are the container's business.
 */
static int drop_groups(gid_t gid, struct err *err)
{
	if (setgroups(gid > 0 ? 1 : 0, &gid) != 0 && errno != EPERM)
		return err_set_errno(err, -errno, "cannot drop the supplementary groups");
	return 0;
}

int privs_drop(long uid, long gid, bool init_groups, struct err *err)
{
	if (init_groups && geteuid() == 0) {
		int result = set_groups(uid > 0 ? (uid_t)uid : geteuid(), gid > 0 ? (gid_t)gid : getegid(), err);
		if (result != 0)
			return result;
	} else if (uid > 0 && geteuid() == 0) {
		int result = drop_groups(gid > 0 ? (gid_t)gid : 0, err);
		if (result != 0)
			return result;
	}

	/* gunicorn: util.set_owner_process(), 0 counts as "not set". All three ids at once: setgid() alone leaves a way back
	 * when we are not root but setgid by file mode. */
	if (gid > 0 && (gid_t)gid != getegid()) {
		if (setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) != 0)
			return err_set_errno(err, -errno, "cannot change to group %ld", gid);
	}
	if (uid > 0 && (uid_t)uid != geteuid()) {
		if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) != 0)
			return err_set_errno(err, -errno, "cannot change to user %ld", uid);
		if (setuid(0) == 0)
			return err_set(err, -EPERM, "user %ld was set, but root's rights did not go away", uid);
	}
	return 0;
}

void privs_give_file(int fd, long uid, long gid)
{
	struct stat status;

	if (fd < 0 || geteuid() != 0 || (uid <= 0 && gid <= 0))
		return;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	/* On failure the worker cannot reopen the file and says so then. */
	int ignored = fchown(fd, uid > 0 ? (uid_t)uid : (uid_t)-1, gid > 0 ? (gid_t)gid : (gid_t)-1);
	(void)ignored;
}

void privs_offer_to_killer(void)
{
	enum { MORE = 500, MOST = 1000 };
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char text[24] = "";

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0) {
		(void)snprintf(text, sizeof(text), "%ld", MIN(strtol(text, NULL, 10) + MORE, (long)MOST));
		ssize_t ignored = pwrite(fd, text, strlen(text), 0);
		(void)ignored;
	}
	fd_close(&fd);
}
