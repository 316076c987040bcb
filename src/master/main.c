/* SPDX-License-Identifier: MIT */
/*
 * main.c - program `gunwale`: the order of start, nothing else.
 */
#include "base/base.h"

#include "base/check.h"
#include "base/log.h"
#include "base/title.h"
#include "master/activation.h"
#include "master/cli.h"
#include "master/daemon.h"
#include "master/delegate.h"
#include "master/inherit.h"
#include "master/master.h"
#include "shared/exits.h"

static int serve(struct cli *cli, const struct strlist *activated, const struct inherited *inherited, bool is_detached,
                 bool *ret_wants_detach, bool *ret_keeps_stdio)
{
	/* Large, and one per process: static storage, not the stack. */
	static struct master master;
	struct err err = ERR_NONE;
	int exit_code = EXIT_CONFIG;

	if (master_init(&master, cli, activated, inherited, is_detached, &err) != 0) {
		cli_print_error(&err, stderr);
	} else {
		/* sys.argv[0] of the configuration and the application is the path, as with gunicorn. */
		if (strcmp(cli->argv.items[0], master.spawn.program) != 0) {
			free(cli->argv.items[0]);
			cli->argv.items[0] = xstrdup(master.spawn.program);
		}
		exit_code = master_run(&master);
	}
	*ret_wants_detach = master.wants_detach;
	*ret_keeps_stdio = master.keeps_stdio;
	master_release(&master);
	return exit_code;
}

int main(int argc, char **argv)
{
	struct cli cli;
	struct strlist activated;
	struct inherited inherited;
	struct err err = ERR_NONE;
	bool wants_detach = false, keeps_stdio = false;
	int exit_code = EXIT_OK;

	check_set_last_words(log_signal_safe);
	title_init(argc, argv);
	memset(&cli, 0, sizeof(cli));
	strlist_init(&activated);
	/* First of all: see activation_take(). */
	if (activation_take(&activated, &err) != 0 || inherit_take(&inherited, activated.count > 0, &err) != 0) {
		cli_print_error(&err, stderr);
		exit_code = EXIT_CONFIG;
		goto out;
	}
	if (cli_parse(&cli, argc, argv, getenv("GUNICORN_CMD_ARGS"), getenv("GUNWALE_CMD_ARGS"), &exit_code) != 0)
		goto out;
	exit_code = serve(&cli, &activated, &inherited, false, &wants_detach, &keeps_stdio);
	if (wants_detach) {
		if (daemon_detach(keeps_stdio, &err) != 0) {
			cli_print_error(&err, stderr);
			exit_code = EXIT_CONFIG;
			goto out;
		}
		exit_code = serve(&cli, &activated, &inherited, true, &wants_detach, &keeps_stdio);
	}
	if (exit_code == EXIT_DELEGATE)
		exit_code = delegate_run(&cli, &activated);
out:
	cli_release(&cli);
	strlist_release(&activated);
	log_close();
	return exit_code;
}
