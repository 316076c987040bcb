/* SPDX-License-Identifier: MIT */
/*
 * main.c - start of the program `gunwale-worker`: what the master handed over, then Python, then the template's loop.
 *
 * Order of start and nothing else. Must not read settings: they come over the link.
 */
#include "base/base.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/title.h"
#include "py/boot.h"
#include "py/embed.h"
#include "py/interpreter.h"
#include "shared/exits.h"
#include "worker/fork.h"
#include "worker/template.h"

/* The two fds that cross the exec; master/spawn.c puts them there. */
enum { LINK_FD = 3, BOARD_FD = 4 };

static int say_not_by_hand(void)
{
	(void)fprintf(stderr, "gunwale-worker is started by gunwale and not by hand: run `gunwale --help`.\n");
	return EXIT_CONFIG;
}

/* The link is a unix socket of whole messages; whatever a shell may have open as fd 3 is not. */
static bool is_link(int fd)
{
	int type = 0, domain = 0;
	socklen_t type_len = sizeof(type), domain_len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) == 0 && domain == AF_UNIX;
}

/* What the master wants of this process. */
struct order {
	const char *role;
	const char *program; /* path of gunwale; NULL: unknown */
	const char *python;  /* --python; NULL: not given */
	char **rest;         /* behind "--", ends with NULL; NULL without */
};

/* --role template|gunicorn [--program PATH of gunwale] [--python PATH] [-- ARGUMENTS]. False when the arguments are others. */
static bool read_arguments(int argc, char **argv, struct order *ret_order)
{
	memset(ret_order, 0, sizeof(*ret_order));
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--") == 0) {
			ret_order->rest = argv + i + 1;
			break;
		}
		if (i + 1 == argc)
			return false;
		if (strcmp(argv[i], "--role") == 0)
			ret_order->role = argv[i + 1];
		else if (strcmp(argv[i], "--program") == 0)
			ret_order->program = argv[i + 1];
		else if (strcmp(argv[i], "--python") == 0)
			ret_order->python = argv[i + 1];
		else
			return false;
	}
	return ret_order->role != NULL;
}

/* For the handler. Forks of this process have another pid. */
static pid_t own_pid, master_pid;

/* gunicorn's server hooks run in its master: signals that they send to os.getpid() are the master's. */
static void forward(int number, siginfo_t *info, void *unused ATTR_UNUSED)
{
	const int code = errno;

	if (info->si_pid == own_pid && getpid() == own_pid && getppid() == master_pid)
		(void)kill(master_pid, number);
	errno = code;
}

/*
 * Handlers, not SIG_IGN: programs that the application starts would inherit that. They stand before Python starts, which then
 * leaves SIGINT alone.
 */
static void take_signals(void)
{
	static const struct {
		const char *process;
		int number;
	} rows[] = {
#define SIGNAL(process, signal, action, text) { #process, SIG##signal },
#include "tables/signals.def"
#undef SIGNAL
	};
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	own_pid = getpid();
	master_pid = getppid();
	action.sa_sigaction = forward;
	action.sa_flags = SA_RESTART | SA_SIGINFO;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].process, "TEMPLATE") == 0)
			(void)sigaction(rows[i].number, &action, NULL);
	}
}

static char *read_link_path(const char *path)
{
	char target[4096];
	ssize_t len = readlink(path, target, sizeof(target));

	return len > 0 && len < (ssize_t)sizeof(target) ? xstrndup(target, (size_t)len) : NULL;
}

/* Where python/gunwale lies: GUNWALE_PYTHONDIR, else beside this program (a build tree), else where it was installed. */
static char *find_python_dir(void)
{
	const char *from_environment = getenv("GUNWALE_PYTHONDIR");
	char *self, *slash, *beside = NULL, *file = NULL;

	if (from_environment != NULL && from_environment[0] != '\0')
		return xstrdup(from_environment);
	self = read_link_path("/proc/self/exe");
	slash = self != NULL ? strrchr(self, '/') : NULL;
	if (slash != NULL) {
		*slash = '\0';
		beside = xasprintf("%s/python", self);
		file = xasprintf("%s/gunwale/__init__.py", beside);
		if (access(file, R_OK) != 0) {
			free(beside);
			beside = NULL;
		}
	}
	free(file);
	free(self);
	return beside != NULL ? beside : xstrdup(GUNWALE_PYTHONDIR);
}

/* Python with our package in it. 0, or an exit code with a sentence. */
static int start_python(const struct order *order, struct err *err)
{
	char *executable = NULL, *python_dir = NULL, *parent = NULL;
	const char *program = order->program;
	int exit_code = EXIT_CONFIG, result;

	if (program == NULL) {
		char *path = xasprintf("/proc/%ld/exe", (long)getppid());
		program = parent = read_link_path(path);
		free(path);
	}
	result = interpreter_find(program, order->python, &executable, err);
	if (result == 0)
		result = embed_start(executable, &exit_code, err);
	if (result == 0) {
		python_dir = find_python_dir();
		result = boot_import(python_dir, err);
	} else if (result != -ECANCELED) {
		exit_code = EXIT_CONFIG;
	}
	free(parent);
	free(python_dir);
	free(executable);
	return result == 0 ? 0 : exit_code;
}

/* Becomes the real gunicorn in the Python that would have been embedded (master/delegate.c). Returns only when that fails. */
static int become_gunicorn(const struct order *order)
{
	struct err err = ERR_NONE;
	char *executable = NULL;
	size_t count = 0;

	if (interpreter_find(order->program, order->python, &executable, &err) == 0) {
		while (order->rest[count] != NULL)
			count++;
		char **argv = xcalloc(count + 4, sizeof(*argv));

		argv[0] = executable;
		argv[1] = xstrdup("-m");
		argv[2] = xstrdup("gunicorn");
		memcpy(argv + 3, order->rest, count * sizeof(*argv));
		(void)err_set_errno(&err, fork_none_and_exec(argv), "can't run %s", executable);
	}
	(void)fprintf(stderr, "\nError: %s\n", err.text);
	return EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	struct template template;
	struct err err = ERR_NONE;
	struct order order;

	title_init(argc, argv);
	if (!read_arguments(argc, argv, &order))
		return say_not_by_hand();
	if (strcmp(order.role, "gunicorn") == 0 && order.rest != NULL)
		return become_gunicorn(&order);
	if (strcmp(order.role, "template") != 0 || !is_link(LINK_FD) || fd_set_cloexec(LINK_FD, true) != 0 ||
	    fd_set_cloexec(BOARD_FD, true) != 0)
		return say_not_by_hand();
	if (template_init(&template, LINK_FD, BOARD_FD) != 0)
		return say_not_by_hand();
	take_signals();
	int code = start_python(&order, &err);
	if (err_is_set(&err)) {
		char *text = xasprintf("\nError: %s", err.text);
		template_fail(&template, code, text);
		free(text);
		return code;
	}
	return template_run(&template);
}
