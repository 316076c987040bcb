/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - the only fork, exec, waitpid and kill of the master.
 *
 * Called by templates.c, workers.c and master.c. Between fork and exec only async-signal-safe calls. Never waits.
 */
#include "base/base.h"

#include "master/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/sig.h"
#include "base/span.h"
#include "shared/board.h"
#include "shared/settings.h"

enum { OPEN_FILES = 2 * BOARD_SLOTS + 256 };
enum { CHILD_LINK_FD = 3, CHILD_BOARD_FD = 4, CHILD_FIRST_FREE_FD = 5 };

static char *program_beside(void)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len <= 0)
		return NULL;
	self[len] = '\0';

	char *slash = strrchr(self, '/');

	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return xasprintf("%s/gunwale-worker", self);
}

static char *find_worker_program(void)
{
	char *beside = program_beside();

	if (beside != NULL && access(beside, X_OK) == 0)
		return beside;
	free(beside);
	return xstrdup(GUNWALE_LIBEXECDIR "/gunwale-worker");
}

/* An absolute path, links in its last part kept. */
static char *realpath_of_folder(const char *program)
{
	char *copy = xstrdup(program);
	char *slash = strrchr(copy, '/');

	*slash = '\0';

	char *folder = realpath(slash == copy ? "/" : copy, NULL);
	char *path = folder != NULL ? xasprintf("%s/%s", folder, slash + 1) : xstrdup(program);

	free(folder);
	free(copy);
	return path;
}

/* argv[0] as the shell found it: a virtual environment is recognised by where its link to us lies. */
static char *resolve_program(const char *program)
{
	const char *path = getenv("PATH");
	struct span rest = span_from_str(path);
	struct span folder;

	if (strchr(program, '/') != NULL)
		return realpath_of_folder(program);
	while (span_split(&rest, ':', &folder)) {
		char *candidate = xasprintf("%.*s/%s", SPAN_ARG(folder), program);

		if (folder.len > 0 && access(candidate, X_OK) == 0)
			return candidate;
		free(candidate);
	}
	return xstrdup(program);
}

/* Two descriptors for each worker: the usual soft limit of 1,024 is too low for 512 of them. */
static void raise_open_files(struct spawn *spawn)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, &spawn->open_files) != 0)
		return;
	raised = spawn->open_files;
	raised.rlim_cur = MAX(raised.rlim_cur, MIN(raised.rlim_max, (rlim_t)OPEN_FILES));
	(void)setrlimit(RLIMIT_NOFILE, &raised);
}

int spawn_init(struct spawn *spawn, const char *program, struct err *err)
{
	memset(spawn, 0, sizeof(*spawn));
	spawn->worker_program = find_worker_program();
	spawn->program = resolve_program(program);
	/* Not the link's target: a deployment that moves the link wants its upgrade from the new place. */
	spawn->called_as = xstrdup(strchr(program, '/') != NULL ? program : spawn->program);
	/* By its name: a deployment that moves a link wants its reload from the new place. */
	spawn->launch_dir = settings_launch_dir();
	raise_open_files(spawn);
	spawn->launch_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (spawn->launch_fd < 0)
		return err_set_errno(err, -errno, "can't open the present directory");
	if (access(spawn->worker_program, X_OK) != 0)
		return err_set_errno(err, -errno, "can't run %s", spawn->worker_program);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return err_set_errno(err, -errno, "can't adopt orphaned processes (PR_SET_CHILD_SUBREAPER)");
	return 0;
}

void spawn_release(struct spawn *spawn)
{
	/* What we may become has its own idea of it. */
	if (spawn->open_files.rlim_max != 0)
		(void)setrlimit(RLIMIT_NOFILE, &spawn->open_files);
	free(spawn->worker_program);
	free(spawn->program);
	free(spawn->called_as);
	free(spawn->launch_dir);
	fd_close(&spawn->launch_fd);
	memset(spawn, 0, sizeof(*spawn));
}

/* In the child: both fds may be low numbers already, so they are moved out of the way first. Never returns. */
static void exec_template(const struct spawn *spawn, int link_fd, int board_fd, pid_t parent) ATTR_NORETURN;
static void exec_template(const struct spawn *spawn, int link_fd, int board_fd, pid_t parent)
{
	int high_link = fcntl(link_fd, F_DUPFD, CHILD_FIRST_FREE_FD);
	int high_board = fcntl(board_fd, F_DUPFD, CHILD_FIRST_FREE_FD);

	sig_reset_all();
	if (chdir(spawn->launch_dir) != 0 && fchdir(spawn->launch_fd) != 0)
		_exit(127);
	if (high_link < 0 || high_board < 0 || dup2(high_link, CHILD_LINK_FD) < 0 || dup2(high_board, CHILD_BOARD_FD) < 0)
		_exit(127);
	fd_close_from(CHILD_FIRST_FREE_FD);
	/* Applications that call select() rely on a low limit. */
	if (spawn->open_files.rlim_max != 0)
		(void)setrlimit(RLIMIT_NOFILE, &spawn->open_files);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* The master may have died before the line above took effect. */
	if (getppid() != parent)
		_exit(0);
	(void)execl(spawn->worker_program, "gunwale-worker", "--role", "template", "--program", spawn->program,
	            spawn->python != NULL ? "--python" : (char *)NULL, spawn->python, (char *)NULL);
	_exit(127);
}

/* The loop's handlers, run in the child, would write into the pipe that it shares with us: we would see the signal. */
static pid_t fork_quietly(void)
{
	sigset_t all;
	sigset_t old;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);

	pid_t pid = fork();
	int error = -errno;

	if (pid == 0)
		return 0; /* whatever it becomes begins with sig_reset_all() */
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? error : pid;
}

pid_t spawn_template(const struct spawn *spawn, int link_fd, int board_fd, struct err *err)
{
	pid_t self = getpid();
	pid_t pid = fork_quietly();

	if (pid == 0)
		exec_template(spawn, link_fd, board_fd, self);
	return pid < 0 ? err_set_errno(err, pid, "can't fork a template") : pid;
}

/* Of at least ten characters, blanks behind the digits; snprintf() is not for use between fork and exec. */
static void write_pid(char *at, pid_t pid)
{
	char digits[10];
	size_t count = 0;

	for (; pid > 0 && count < sizeof(digits); pid /= 10)
		digits[count++] = (char)('0' + pid % 10);
	for (size_t i = 0; i < count; i++)
		at[i] = digits[count - 1 - i];
	at[count] = '\0';
}

/* In the child. Never returns. */
static void exec_master(const struct spawn *spawn, const struct spawn_order *order) ATTR_NORETURN;
static void exec_master(const struct spawn *spawn, const struct spawn_order *order)
{
	sig_reset_all();
	if (order->pid != NULL)
		write_pid(order->pid, getpid());
	if (chdir(spawn->launch_dir) != 0 && fchdir(spawn->launch_fd) != 0)
		_exit(127);
	for (size_t i = 0; i < order->fd_count; i++)
		if (fcntl(order->fds[i], F_SETFD, 0) != 0)
			_exit(127);
	if (spawn->open_files.rlim_max != 0)
		(void)setrlimit(RLIMIT_NOFILE, &spawn->open_files);
	(void)execve(spawn->called_as, order->argv, order->environment);
	_exit(127);
}

pid_t spawn_master(const struct spawn *spawn, const struct spawn_order *order, struct err *err)
{
	pid_t pid = fork_quietly();

	if (pid == 0)
		exec_master(spawn, order);
	return pid < 0 ? err_set_errno(err, pid, "can't fork a new master") : pid;
}

int spawn_gunicorn(const char *program, const char *python, const struct strlist *args, struct err *err)
{
	char *worker_program = find_worker_program(), *path = resolve_program(program);
	const char **argv = xcalloc(args->count + 10, sizeof(*argv));
	size_t count = 0;

	argv[count++] = "gunwale-worker";
	argv[count++] = "--role";
	argv[count++] = "gunicorn";
	argv[count++] = "--program";
	argv[count++] = path;
	if (python != NULL) {
		argv[count++] = "--python";
		argv[count++] = python;
	}
	argv[count++] = "--";
	for (size_t i = 0; i < args->count; i++)
		argv[count++] = args->items[i];
	argv[count] = NULL;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	sig_reset_all();
	(void)execv(worker_program, (char *const *)(uintptr_t)argv);
	err_set_errno(err, -errno, "can't run %s", worker_program);
	free(argv);
	free(path);
	free(worker_program);
	return -EINVAL;
}

int spawn_signal(pid_t pid, int signal)
{
	CHECK(pid > 1);
	return kill(pid, signal) == 0 ? 0 : -errno;
}

bool spawn_reap(pid_t *ret_pid, int *ret_status)
{
	pid_t pid;

	do
		pid = waitpid(-1, ret_status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	*ret_pid = pid;
	return pid > 0;
}

void spawn_keep_unknown(struct spawn *spawn, pid_t pid, int status, uint64_t now_ms)
{
	struct spawn_unknown *oldest = &spawn->unknown[0];

	for (size_t i = 0; i < ARRAY_LEN(spawn->unknown); i++)
		if (spawn->unknown[i].at_ms < oldest->at_ms)
			oldest = &spawn->unknown[i];
	*oldest = (struct spawn_unknown){ pid, status, now_ms };
}

bool spawn_take_unknown(struct spawn *spawn, pid_t pid, uint64_t now_ms, int *ret_status)
{
	for (size_t i = 0; i < ARRAY_LEN(spawn->unknown); i++) {
		struct spawn_unknown *entry = &spawn->unknown[i];

		if (entry->pid != pid)
			continue;
		/* An old entry is another process that had the same pid. */
		bool is_recent = now_ms - entry->at_ms <= SPAWN_UNKNOWN_MS;

		*ret_status = entry->status;
		*entry = (struct spawn_unknown){ 0, 0, 0 };
		if (is_recent)
			return true;
	}
	return false;
}
