/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - the only fork, exec, waitpid and kill of the master.
 */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include "base/base.h"
#include "base/err.h"
#include "base/strlist.h"

#include <sys/resource.h>

enum { SPAWN_UNKNOWN_MAX = 64, SPAWN_UNKNOWN_MS = 5000 };

/* Ends of processes that nobody has claimed yet: a worker may die before the template's word of its birth arrives. */
struct spawn_unknown {
	pid_t pid; /* 0: free */
	int status;
	uint64_t at_ms;
};

struct spawn {
	char *worker_program; /* path of gunwale-worker; owned */
	char *program;        /* path of this program as it was called, symbolic links kept; owned */
	char *called_as;      /* argv[0] where it is a path, else as `program`: what an upgrade runs; owned */
	const char *python;   /* --python, borrowed; NULL: the worker program finds one */
	struct rlimit open_files; /* as we found it: templates get it back */
	char *launch_dir;     /* the directory we were started in, by the name it had: every template starts there; owned */
	int launch_fd;        /* the same, should the name be gone */
	struct spawn_unknown unknown[SPAWN_UNKNOWN_MAX];
};

/*
 * Finds gunwale-worker (beside this program, else where it was installed), notes the present directory, makes this process the
 * parent of its orphaned descendants, and raises its limit of open files. program: argv[0]. 0 or -errno with a sentence.
 */
int spawn_init(struct spawn *spawn, const char *program, struct err *err);
void spawn_release(struct spawn *spawn);

/*
 * Starts a template with link_fd as its fd 3 and board_fd as its fd 4 (both stay the caller's). The child dies with SIGKILL
 * when this process does. Returns the pid, or -errno with a sentence.
 */
pid_t spawn_template(const struct spawn *spawn, int link_fd, int board_fd, struct err *err);

/* A new master: what upgrade.c wants it to find. All is borrowed. */
struct spawn_order {
	char *const *argv;      /* NULL-terminated */
	char **environment;     /* NULL-terminated */
	char *pid;              /* in it: ten characters, where the new process writes its own pid; NULL: nowhere */
	const int *fds;         /* that it keeps, under their numbers */
	size_t fd_count;
};
/*
 * Starts this program, as it lies on the disk now. Returns the pid, or -errno with a sentence; a failed exec is an exit with
 * code 127.
 */
pid_t spawn_master(const struct spawn *spawn, const struct spawn_order *order, struct err *err);

/*
 * Turns this process into the real gunicorn with these arguments, in the Python that templates would get. Call with no child
 * left, and after spawn_release(). program, python: as in struct spawn. Returns only when it failed: -errno with a sentence.
 */
int spawn_gunicorn(const char *program, const char *python, const struct strlist *args, struct err *err);

/* Sends a signal to a child that was not reaped yet. 0 or -errno. */
int spawn_signal(pid_t pid, int signal);

/* The next ended child, of any kind; false when there is none now. */
bool spawn_reap(pid_t *ret_pid, int *ret_status);
/* Keeps an end that nobody claims, and finds it again within SPAWN_UNKNOWN_MS. */
void spawn_keep_unknown(struct spawn *spawn, pid_t pid, int status, uint64_t now_ms);
bool spawn_take_unknown(struct spawn *spawn, pid_t pid, uint64_t now_ms, int *ret_status);

#endif
