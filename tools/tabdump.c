/* SPDX-License-Identifier: MIT */
/*
 * tabdump.c - writes the reference pages from the tables in src/tables: the product's facts are typed once.
 *
 * Run by tools/check-generated (and `make docs`), compiled with -DWITH_DOCS. Never installed.
 *
 *   tabdump settings.md (signals.md, hooks.md, counters.md, worker-states.md)      writes the page to standard output
 *   tabdump gunwale.1 <man/gunwale.1.in      fills @OPTIONS@, @FILE_SETTINGS@ and @SIGNALS@
 */
#include "base/base.h"

#include "base/buf.h"
#include "base/span.h"
#include "shared/settings.h"

#ifndef WITH_DOCS
#error "compile with -DWITH_DOCS"
#endif

static const char generated[] =
	"<!-- Made by tools/tabdump from src/tables; change the table, then run tools/check-generated --write. -->\n\n";

static const char *type_name(const struct setting *row)
{
	switch (row->type) {
	case T_BOOL:
		return "true or false";
	case T_INT:
		return "whole number";
	case T_SECONDS:
		return "seconds";
	case T_STR:
		return "text";
	case T_PATH:
		return "path";
	case T_DIR:
		return "directory";
	case T_STRLIST:
		return "list of texts";
	case T_ADDRLIST:
		return "list of addresses";
	case T_WORDS:
		return "words, with commas";
	case T_NETLIST:
		return "networks, with commas";
	case T_ENUM:
		return "one of its words";
	case T_USER:
		return "user";
	case T_GROUP:
		return "group";
	case T_UMASK:
		return "mode mask";
	case T_DICT:
		return "dictionary";
	case T_PYOBJ:
		return "text or Python object";
	case T_SIZE:
		return "size";
	}
	return "?";
}

static const char *status_note(const struct setting *row)
{
	if (row->status == SILENT)
		return "accepted, without effect";
	if (row->status == IGNORED)
		return "accepted, ignored with a warning";
	return row->status == REFUSED ? "refused" : NULL;
}

/* "`-w INT`, `--workers INT`" */
static void print_flags(const struct setting *row)
{
	struct span rest = span_from_str(row->cli), flag;
	bool is_first = true;

	while (span_split(&rest, ' ', &flag)) {
		printf("%s`%.*s", is_first ? "" : ", ", SPAN_ARG(flag));
		is_first = false;
		if (row->type != T_BOOL)
			printf(row->bare_value != NULL ? " [%s]" : " %s", row->meta != NULL ? row->meta : "VALUE");
		(void)putchar('`');
	}
}

static void print_setting(const struct setting *row)
{
	printf("### %s\n\n%s\n\n", row->name, row->help);
	if (row->cli != NULL) {
		fputs("- Command line: ", stdout);
		print_flags(row);
		puts(row->is_repeatable ? ", may be repeated" : "");
	}
	printf("- Type: %s", type_name(row));
	if (row->words != NULL)
		printf(" (%s)", row->words);
	if (row->max != 0)
		printf(", %ld to %ld", row->min, row->max);
	(void)putchar('\n');
	if (row->type == T_DIR)
		puts("- Default: the directory where the server is started");
	else if (row->def != NULL && row->def[0] != '\0')
		printf("- Default: `%s`\n", row->def);
	else
		puts(row->def != NULL ? "- Default: empty" : "- Default: not set");
	if (row->env != NULL)
		printf("- Default from the environment: `%s$%s`\n", row->env_prefix != NULL ? row->env_prefix : "",
		       row->env);
	if (row->when == WHEN_START)
		puts("- A reload does not change it");
	if (status_note(row) != NULL)
		printf("- Today: %s%s%s\n", status_note(row), row->instead != NULL ? ": " : "",
		       row->instead != NULL ? row->instead : "");
	if (row->is_ours)
		puts(row->cli != NULL ? "- gunicorn has no such setting; the flag must be spelled out" : "- gunicorn has no such setting");
	(void)putchar('\n');
	if (row->doc != NULL)
		printf("%s\n\n", row->doc);
}

static void print_settings_page(void)
{
	fputs("# Settings\n\n", stdout);
	fputs(generated, stdout);
	puts("A setting comes from, lowest first: its default, the environment variable named below, the configuration "
	     "file, "
	     "`GUNICORN_CMD_ARGS`, `GUNWALE_CMD_ARGS`, the command line. A higher source replaces what a lower one said, "
	     "lists "
	     "included.\n");
	for (int group = 0; group < GROUP_MAX; group++) {
		printf("## %s\n\n", setting_group_names[group]);
		for (size_t i = 0; i < S_MAX; i++) {
			if (setting_rows[i].group == group)
				print_setting(&setting_rows[i]);
		}
	}
}

static void print_signals_page(void)
{
	static const struct {
		const char *process, *signal, *action, *text;
	} rows[] = {
#define SIGNAL(process, signal, action, text) { #process, #signal, #action, text },
#include "tables/signals.def"
#undef SIGNAL
	};
	const char *process = "";

	fputs("# Signals\n\n", stdout);
	fputs(generated, stdout);
	puts("Send signals to the master. What workers and the template do with them is told so that nobody is surprised.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(process, rows[i].process) != 0) {
			process = rows[i].process;
			printf("\n## %c", process[0]);
			for (const char *at = process + 1; *at != '\0'; at++)
				(void)putchar(*at | 0x20);
			fputs("\n\n| signal | action | |\n|---|---|---|\n", stdout);
		}
		printf("| %s | %s | %s |\n", rows[i].signal, rows[i].action, rows[i].text);
	}
}

static void print_hooks_page(void)
{
	fputs("# Hooks\n\n", stdout);
	fputs(generated, stdout);
	puts("A hook is a function of that name in the configuration file. Each runs in exactly one kind of process; what "
	     "gunicorn runs in its master runs in the template here, because the master has no Python.\n\n"
	     "A hook of the template that raises ends the start (exit code 1, `pre_fork` 255, as in gunicorn); when a worker has "
	     "served already it is logged, and the service goes on. `sys.exit()` in one ends the server with that code at any "
	     "time. A worker whose `post_fork` or `post_worker_init` raises has failed to boot (exit code 3); exceptions of its other "
	     "hooks are logged, and one in `pre_request` is answered with 500.\n\n"
	     "| hook | parameters | runs in | when |\n|---|---|---|---|");
#define IN_TEMPLATE "template"
#define IN_WORKER "worker"
#define IN_NOWHERE "-"
#define HOOK(name, parameters, process, text) puts("| " #name " | " #parameters " | " IN_##process " | " text " |");
#include "tables/hooks.def"
#undef HOOK
#define HOOK(name, parameters, process, text)
#define NOTE(title, prose) puts("\n## " title "\n\n" prose);
#include "tables/hooks.def"
#undef HOOK
}

static void print_counters_page(void)
{
	fputs("# Counters\n\n", stdout);
	fputs(generated, stdout);
	puts("Each worker counts on its own line of the board, for its own life; the status file shows them.\n\n"
	     "| counter | kind | unit | |\n|---|---|---|---|");
#define KIND_TOTAL "only grows"
#define KIND_GAUGE "goes up and down"
#define COUNTER(name, kind, unit, text) puts("| " #name " | " KIND_##kind " | " unit " | " text " |");
#include "tables/counters.def"
#undef COUNTER
}

#define MOVE(from, event, to, action) puts("    " #from " --> " #to ": " #event);
#define IGNORE(state, event) puts("| " #state " | " #event " |");

static void print_slot_states(void)
{
	puts("## A worker\n\n```mermaid\nstateDiagram-v2\n    [*] --> EMPTY");
#define SLOT_STATE(name, word, timer, text)
#define SLOT_EVENT(name, text)
#define SLOT_ACTION(name)
#undef IGNORE
#define IGNORE(state, event)
#include "tables/slot.def"
	puts("```\n\n| state | in the status file | |\n|---|---|---|");
#undef SLOT_STATE
#define SLOT_STATE(name, word, timer, text) puts("| " #name " | " word " | " text " |");
#undef MOVE
#define MOVE(from, event, to, action)
#include "tables/slot.def"
	puts("\n| event | |\n|---|---|");
#undef SLOT_STATE
#define SLOT_STATE(name, word, timer, text)
#undef SLOT_EVENT
#define SLOT_EVENT(name, text) puts("| " #name " | " text " |");
#include "tables/slot.def"
	puts("\n| state | event | next | what the master does |\n|---|---|---|---|");
#undef SLOT_EVENT
#define SLOT_EVENT(name, text)
#undef MOVE
#define MOVE(from, event, to, action) puts("| " #from " | " #event " | " #to " | " #action " |");
#undef IGNORE
#define IGNORE(state, event) puts("| " #state " | " #event " | " #state " | ignored |");
#include "tables/slot.def"
	puts("");
}

#undef MOVE
#define MOVE(from, event, to, action) puts("    " #from " --> " #to ": " #event);
#undef IGNORE
#define IGNORE(state, event)

static void print_template_states(void)
{
	puts("## A template\n\n```mermaid\nstateDiagram-v2\n    [*] --> ABSENT");
#define TEMPLATE_STATE(name, word, timer, text)
#define TEMPLATE_EVENT(name, text)
#define TEMPLATE_ACTION(name)
#include "tables/template.def"
	puts("```\n\n| state | in the status file | |\n|---|---|---|");
#undef TEMPLATE_STATE
#define TEMPLATE_STATE(name, word, timer, text) puts("| " #name " | " word " | " text " |");
#undef MOVE
#define MOVE(from, event, to, action)
#include "tables/template.def"
	puts("\n| event | |\n|---|---|");
#undef TEMPLATE_STATE
#define TEMPLATE_STATE(name, word, timer, text)
#undef TEMPLATE_EVENT
#define TEMPLATE_EVENT(name, text) puts("| " #name " | " text " |");
#include "tables/template.def"
	puts("\n| state | event | next | what the master does |\n|---|---|---|---|");
#undef TEMPLATE_EVENT
#define TEMPLATE_EVENT(name, text)
#undef MOVE
#define MOVE(from, event, to, action) puts("| " #from " | " #event " | " #to " | " #action " |");
#undef IGNORE
#define IGNORE(state, event) puts("| " #state " | " #event " | " #state " | ignored |");
#include "tables/template.def"
}

static void print_states_page(void)
{
	fputs("# States of workers and templates\n\n", stdout);
	fputs(generated, stdout);
	puts("What the master keeps about each of its processes. Pairs of state and event that stand nowhere cannot "
	     "happen.\n");
	print_slot_states();
	print_template_states();
}

/* Text for troff: no line may begin with a dot or a quote, backslashes and dashes are escaped, `code` is bold. */
static void print_roff(const char *text)
{
	bool is_code = false, is_line_start = true;

	for (const char *at = text; *at != '\0'; at++) {
		if (at[0] == '\n' && at[1] == '\n') {
			fputs("\n.IP\n", stdout);
			is_line_start = true;
			at++;
			continue;
		}
		if (is_line_start && (*at == '.' || *at == '\''))
			fputs("\\&", stdout);
		is_line_start = false;
		if (*at == '`')
			fputs((is_code = !is_code) ? "\\fB" : "\\fR", stdout);
		else if (*at == '\\')
			fputs("\\e", stdout);
		else if (*at == '-')
			fputs("\\-", stdout);
		else
			(void)putchar(*at);
	}
	(void)putchar('\n');
}

static void print_roff_flags(const struct setting *row)
{
	struct span rest = span_from_str(row->cli), flag;
	bool is_first = true;

	fputs(".TP\n", stdout);
	while (span_split(&rest, ' ', &flag)) {
		fputs(is_first ? "\\fB" : ", \\fB", stdout);
		is_first = false;
		for (size_t i = 0; i < flag.len; i++)
			printf("%s%c", flag.at[i] == '-' ? "\\" : "", flag.at[i]);
		fputs("\\fR", stdout);
		if (row->type != T_BOOL)
			printf(row->bare_value != NULL ? " [\\fI%s\\fR]" : " \\fI%s\\fR",
			       row->meta != NULL ? row->meta : "VALUE");
	}
	(void)putchar('\n');
}

static void print_roff_setting(const struct setting *row)
{
	struct buf text = BUF_NONE;

	if (row->cli != NULL)
		print_roff_flags(row);
	else
		printf(".TP\n\\fB%s\\fR\n", row->name);
	buf_add_str(&text, row->help);
	if (row->doc != NULL)
		buf_addf(&text, " %s", row->doc);
	if (row->def != NULL && row->def[0] != '\0' && row->type != T_BOOL && row->type != T_DIR)
		buf_addf(&text, " Default: %s.", row->def);
	if (row->cli != NULL)
		buf_addf(&text, " In the file: `%s`.", row->name);
	print_roff(buf_text(&text));
	buf_release(&text);
}

static void print_roff_settings(bool has_flag)
{
	for (int group = 0; group < GROUP_MAX; group++) {
		bool is_first = true;

		for (size_t i = 0; i < S_MAX; i++) {
			const struct setting *row = &setting_rows[i];

			if (row->group != group || row->status != SUPPORTED || (row->cli != NULL) != has_flag)
				continue;
			if (is_first && has_flag)
				printf(".SS %s\n", setting_group_names[group]);
			is_first = false;
			print_roff_setting(row);
		}
	}
}

static void print_roff_signals(void)
{
#define DO_MASTER(signal, text) fputs(".TP\n.B " signal "\n", stdout), print_roff(text);
#define DO_TEMPLATE(signal, text)
#define DO_WORKER(signal, text)
#define SIGNAL(process, signal, action, text) DO_##process(#signal, text)
#include "tables/signals.def"
#undef SIGNAL
}

static void fill_manual(void)
{
	char line[1024];

	while (fgets(line, sizeof line, stdin) != NULL) {
		if (strcmp(line, "@OPTIONS@\n") == 0)
			print_roff_settings(true);
		else if (strcmp(line, "@FILE_SETTINGS@\n") == 0)
			print_roff_settings(false);
		else if (strcmp(line, "@SIGNALS@\n") == 0)
			print_roff_signals();
		else
			fputs(line, stdout);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} pages[] = {
		{ "settings.md", print_settings_page },    { "signals.md", print_signals_page },
		{ "hooks.md", print_hooks_page },          { "counters.md", print_counters_page },
		{ "worker-states.md", print_states_page }, { "gunwale.1", fill_manual },
	};

	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(pages); i++) {
		if (strcmp(argv[1], pages[i].name) == 0) {
			pages[i].print();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	}
	fputs("usage: tabdump settings.md|signals.md|hooks.md|counters.md|worker-states.md|gunwale.1\n", stderr);
	return 2;
}
