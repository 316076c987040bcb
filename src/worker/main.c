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
#include "shared/exits.h"
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

/* --role template [--program PATH of gunwale]. False when the arguments are others. */
static bool read_arguments(int argc, char **argv, const char **ret_program)
{
	bool is_template = false;

	*ret_program = NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--role") == 0)
			is_template = strcmp(argv[i + 1], "template") == 0;
		else if (strcmp(argv[i], "--program") == 0)
			*ret_program = argv[i + 1];
		else
			return false;
	}
	return is_template && argc % 2 == 1;
}

static void do_nothing(int number ATTR_UNUSED)
{
}

/*
 * Handlers that do nothing, not SIG_IGN: programs that the application starts would inherit that. They stand before Python
 * starts, which then leaves SIGINT alone.
 */
static void ignore_signals(void)
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
	action.sa_handler = do_nothing;
	action.sa_flags = SA_RESTART;
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
static int start_python(const char *program, struct err *err)
{
	char *executable = NULL, *python_dir = NULL, *parent = NULL;
	int exit_code = EXIT_CONFIG, result;

	if (program == NULL) {
		char *path = xasprintf("/proc/%ld/exe", (long)getppid());
		program = parent = read_link_path(path);
		free(path);
	}
	result = embed_find_python(program, &executable, err);
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

int main(int argc, char **argv)
{
	struct template template;
	struct err err = ERR_NONE;
	const char *program;

	title_init(argc, argv);
	if (!read_arguments(argc, argv, &program) || !is_link(LINK_FD) || fd_set_cloexec(LINK_FD, true) != 0 ||
	    fd_set_cloexec(BOARD_FD, true) != 0)
		return say_not_by_hand();
	if (template_init(&template, LINK_FD, BOARD_FD) != 0)
		return say_not_by_hand();
	ignore_signals();
	int code = start_python(program, &err);
	if (err_is_set(&err)) {
		char *text = xasprintf("\nError: %s", err.text);
		template_fail(&template, code, text);
		free(text);
		return code;
	}
	return template_run(&template);
}
