/* SPDX-License-Identifier: MIT */
/*
 * cli_args.h - argparse's way to read arguments, for the options of the settings table, -h and -v. Used by cli.c only.
 */
#ifndef MASTER_CLI_ARGS_H
#define MASTER_CLI_ARGS_H

#include "base/base.h"
#include "base/strlist.h"
#include "shared/settings.h"

enum cli_option_kind { OPTION_SETTING, OPTION_HELP, OPTION_VERSION };

enum cli_args_end { ARGS_OK, ARGS_HELP, ARGS_VERSION, ARGS_USAGE };

/* Called for each option in the order of the arguments; text is as settings_set() takes it. */
typedef void (*cli_args_fn)(void *context, enum setting_id id, const char *text);

/*
 * Parses `args` (without the program's name). ARGS_HELP and ARGS_VERSION: at that option, before what follows was judged;
 * ARGS_USAGE: *ret_error holds the sentence, the caller frees it. ret_positionals gets what is no option.
 */
enum cli_args_end cli_args_parse(const struct strlist *args, cli_args_fn found, void *context,
                                 struct strlist *ret_positionals, char **ret_error);

/* Python's shlex.split(). 0, or -EINVAL with shlex's sentence in *ret_problem (static). */
int cli_args_split(const char *text, struct strlist *ret_args, const char **ret_problem);

/* cli_help.c: the text of --help. */
void cli_print_help(const char *program, FILE *out);
void cli_print_usage(const char *program, FILE *out);

#endif
