/* SPDX-License-Identifier: MIT */
/*
 * cli_help.c - the text of --help, made from the settings table in argparse's layout.
 *
 * Called by cli.c. Options that have no effect yet are listed at the end by their flags alone.
 */
#include "base/base.h"
#include "master/cli_args.h"

#include "base/buf.h"

enum {
	HELP_WIDTH = 78,
	HELP_COLUMN = 24, /* where the sentences begin */
};

/* "-w INT, --workers INT" */
static void add_flags(struct buf *line, const struct setting *row)
{
	struct span rest = span_from_str(row->cli), flag;
	bool is_first = true;

	while (span_split(&rest, ' ', &flag)) {
		if (!is_first)
			buf_add_str(line, ", ");
		is_first = false;
		buf_add_span(line, flag);
		if (row->type == T_BOOL)
			continue;
		buf_addf(line, row->bare_value != NULL ? " [%s]" : " %s", row->meta != NULL ? row->meta : "VALUE");
	}
}

/* Prints words of `text` from `column` on (the cursor is at `used`), indented to `indent` in further lines. */
static void print_wrapped(FILE *out, const char *text, size_t indent)
{
	struct span rest = span_from_str(text), word;
	size_t used = indent;
	bool is_first = true;

	while (span_split(&rest, ' ', &word)) {
		if (!is_first && used + 1 + word.len > HELP_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			used = indent;
		} else if (!is_first) {
			(void)fputc(' ', out);
			used++;
		}
		fprintf(out, "%.*s", SPAN_ARG(word));
		used += word.len;
		is_first = false;
	}
	(void)fputc('\n', out);
}

static void print_option(FILE *out, const char *flags, const char *help)
{
	size_t len = strlen(flags);

	fprintf(out, "  %s", flags);
	/* argparse: a flag that leaves less than two blanks gets a line of its own */
	if (len + 4 > HELP_COLUMN)
		fprintf(out, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(out, "%*s", (int)(HELP_COLUMN - 2 - len), "");
	print_wrapped(out, help, HELP_COLUMN);
}

static void print_row(FILE *out, const struct setting *row)
{
	struct buf flags = BUF_NONE;
	char *help;

	add_flags(&flags, row);
	if (row->def != NULL && row->type != T_BOOL && row->type != T_DIR)
		help = xasprintf("%s [%s]", row->help, row->def);
	else
		help = xstrdup(row->help);
	print_option(out, buf_text(&flags), help);
	free(help);
	buf_release(&flags);
}

static void print_group(FILE *out, int group)
{
	bool is_first = true;

	for (size_t i = 0; i < S_MAX; i++) {
		const struct setting *row = &setting_rows[i];

		if (row->group != group || row->status != SUPPORTED || row->cli == NULL)
			continue;
		if (is_first)
			fprintf(out, "\n%s:\n", setting_group_names[group]);
		is_first = false;
		print_row(out, row);
	}
}

static void print_flags_of(FILE *out, enum setting_status status, const char *title)
{
	struct buf names = BUF_NONE;

	for (size_t i = 0; i < S_MAX; i++) {
		struct span rest, flag = SPAN_NONE;

		if (setting_rows[i].status != status || setting_rows[i].cli == NULL)
			continue;
		rest = span_from_str(setting_rows[i].cli);
		while (span_split(&rest, ' ', &flag) && rest.at != NULL && flag.len == 2)
			;
		if (names.len > 0)
			buf_add_byte(&names, ' ');
		buf_add_span(&names, flag);
	}
	if (names.len > 0) {
		fprintf(out, "\n%s:\n  ", title);
		print_wrapped(out, buf_text(&names), 2);
	}
	buf_release(&names);
}

void cli_print_usage(const char *program, FILE *out)
{
	fprintf(out, "usage: %s [OPTIONS] [APP_MODULE]\n", program);
}

void cli_print_help(const char *program, FILE *out)
{
	cli_print_usage(program, out);
	fputs("\noptions:\n", out);
	print_option(out, "-h, --help", "show this help message and exit");
	print_option(out, "-v, --version", "show program's version number and exit");
	for (int group = 0; group < GROUP_MAX; group++)
		print_group(out, group);
	print_flags_of(out, SILENT, "gunicorn's options that are accepted and have no effect here");
	print_flags_of(out, IGNORED, "gunicorn's options that are accepted with a warning and have no effect");
	print_flags_of(out, REFUSED, "gunicorn's options that are refused");
}
