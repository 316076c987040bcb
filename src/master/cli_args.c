/* SPDX-License-Identifier: MIT */
/*
 * cli_args.c - arguments read the way Python's argparse reads them: abbreviations, glued values, the order of positionals.
 *
 * Called by cli.c for argv and for the texts of the environment. Pure: prints nothing, reads nothing but its arguments.
 * Scripts rely on these rules (gunicorn: config.py parser()), so the steps follow Python's documentation of argparse, and
 * tests/compat holds them against the real thing.
 */
#include "base/base.h"
#include "master/cli_args.h"

#include "base/buf.h"
#include "base/check.h"
#include "shared/settings_types.h"

enum { OPTION_MAX = 2 * S_MAX + 8 };

/* One spelling of an option. */
struct option {
	char *flag; /* owned */
	enum cli_option_kind kind;
	const struct setting *row; /* OPTION_SETTING */
};

/* What an argument looks like before it is consumed. */
enum mark { MARK_VALUE, MARK_OPTION, MARK_DASHES };

struct item {
	const char *text;
	enum mark mark;
	const struct option *option; /* MARK_OPTION; NULL: unknown or ambiguous */
	const char *glued;           /* the value behind "=" or behind a short flag; NULL without one */
	char *ambiguous;             /* owned; the spellings it could mean */
};

struct parser {
	struct option options[OPTION_MAX];
	size_t option_count;
	struct item *items;
	size_t count;
	struct strlist extras; /* unknown options, and positionals that come too late */
	bool has_positionals;
	struct strlist *ret_positionals;
	cli_args_fn found;
	void *context;
	char *error;
};

static void add_options(struct parser *parser, const char *flags, enum cli_option_kind kind, const struct setting *row)
{
	struct span rest = span_from_str(flags), flag;

	while (span_split(&rest, ' ', &flag)) {
		CHECK(parser->option_count < OPTION_MAX);
		parser->options[parser->option_count++] = (struct option){ span_dup(flag), kind, row };
	}
}

static const struct option *find_option(const struct parser *parser, struct span flag)
{
	for (size_t i = 0; i < parser->option_count; i++) {
		if (span_equals(span_from_str(parser->options[i].flag), flag))
			return &parser->options[i];
	}
	return NULL;
}

static bool takes_value(const struct option *option)
{
	return option->kind == OPTION_SETTING && option->row->type != T_BOOL;
}

static void set_error(struct parser *parser, char *text_take)
{
	if (parser->error == NULL)
		parser->error = text_take;
	else
		free(text_take);
}

/* "argument -w/--workers: " in front of the sentence. */
static void set_option_error(struct parser *parser, const struct option *option, const char *sentence)
{
	struct buf text = BUF_NONE;
	bool is_first = true;

	buf_add_str(&text, "argument ");
	for (size_t i = 0; i < parser->option_count; i++) {
		const struct option *other = &parser->options[i];

		if (other->kind != option->kind || other->row != option->row)
			continue;
		if (!is_first)
			buf_add_byte(&text, '/');
		is_first = false;
		buf_add_str(&text, other->flag);
	}
	buf_addf(&text, ": %s", sentence);
	set_error(parser, buf_detach(&text));
}

static void set_value_error(struct parser *parser, const struct option *option, const char *what, const char *value)
{
	struct buf text = BUF_NONE;

	buf_add_str(&text, what);
	setting_add_repr(&text, value);
	set_option_error(parser, option, buf_text(&text));
	buf_release(&text);
}

/* "-1", "-.5", "-1.5": values, as no option looks like a number. */
static bool is_negative_number(const char *text)
{
	size_t digits = strspn(text + 1, "0123456789");
	const char *rest = text + 1 + digits;

	if (*rest == '\0')
		return digits > 0;
	return *rest == '.' && rest[1] != '\0' && rest[1 + strspn(rest + 1, "0123456789")] == '\0';
}

/* An abbreviated long option; `item` keeps what was found. */
static void find_abbreviation(const struct parser *parser, struct item *item, struct span flag, const char *glued)
{
	struct buf names = BUF_NONE;
	size_t found = 0;

	for (size_t i = 0; i < parser->option_count; i++) {
		const struct option *option = &parser->options[i];

		if (!span_starts_with(span_from_str(option->flag), flag) || (option->row != NULL && option->row->is_ours))
			continue;
		if (found++ > 0)
			buf_add_str(&names, ", ");
		buf_add_str(&names, option->flag);
		item->option = option;
		item->glued = glued;
	}
	if (found > 1) {
		item->option = NULL;
		item->ambiguous = xasprintf("ambiguous option: %s could match %s", item->text, buf_text(&names));
	}
	buf_release(&names);
}

static void classify(const struct parser *parser, struct item *item)
{
	const char *text = item->text, *equals = strchr(text, '=');
	struct span flag = equals != NULL ? span_of(text, (size_t)(equals - text)) : span_from_str(text);

	item->mark = MARK_VALUE;
	if (text[0] != '-' || text[1] == '\0')
		return;
	item->mark = MARK_OPTION;
	item->option = find_option(parser, span_from_str(text));
	if (item->option != NULL)
		return;
	item->option = find_option(parser, flag);
	if (item->option != NULL) {
		item->glued = equals != NULL ? equals + 1 : NULL;
		return;
	}
	if (text[1] == '-') {
		find_abbreviation(parser, item, flag, equals != NULL ? equals + 1 : NULL);
	} else {
		item->option = find_option(parser, span_of(text, 2));
		item->glued = item->option != NULL ? text + 2 : NULL;
	}
	if (item->option == NULL && item->ambiguous == NULL && (is_negative_number(text) || strchr(text, ' ') != NULL))
		item->mark = MARK_VALUE;
}

/* Hands the value on. Numbers are checked here, as argparse does it, because a bad one is a usage error. */
static void take_value(struct parser *parser, const struct option *option, const char *value)
{
	const struct setting *row = option->row;
	char *normalized = NULL;
	long number;
	int rc = 0;

	if ((row->type == T_INT || row->type == T_SECONDS) && !row->checks_late) {
		rc = setting_parse_int(value, 10, &number);
		if (rc == -EINVAL)
			set_value_error(parser, option, "invalid int value: ", value);
		else if (rc == 0)
			normalized = xasprintf("%ld", number);
	} else if (row->type == T_UMASK) {
		rc = setting_parse_auto_int(value, &number);
		if (rc == -EINVAL)
			set_value_error(parser, option, "invalid auto_int value: ", value);
	}
	/* A number beyond all bounds is the settings parser's business. */
	if (rc != -EINVAL)
		parser->found(parser->context, setting_id(row), normalized != NULL ? normalized : value);
	free(normalized);
}

static enum cli_args_end take_flag(struct parser *parser, const struct option *option)
{
	if (option->kind == OPTION_HELP)
		return ARGS_HELP;
	if (option->kind == OPTION_VERSION)
		return ARGS_VERSION;
	parser->found(parser->context, setting_id(option->row), option->row->sets_false ? "false" : "true");
	return ARGS_OK;
}

/* A value-taking option whose value is the next argument, or may be missing. */
static enum cli_args_end consume_next(struct parser *parser, const struct option *option, size_t *at)
{
	if (!takes_value(option))
		return take_flag(parser, option);
	if (*at < parser->count && parser->items[*at].mark == MARK_VALUE)
		take_value(parser, option, parser->items[(*at)++].text);
	else if (option->row->bare_value != NULL)
		take_value(parser, option, option->row->bare_value);
	else
		set_option_error(parser, option, "expected one argument");
	return parser->error != NULL ? ARGS_USAGE : ARGS_OK;
}

/* "-Dw4": flags glued together, the last one perhaps with its value. */
static enum cli_args_end consume_glued(struct parser *parser, const struct option *option, const char *glued, size_t *at)
{
	const struct option *flags[64];
	size_t count = 0;

	while (!takes_value(option) && glued != NULL) {
		const char letter[2] = { '-', glued[0] };
		const struct option *next = NULL;

		if (option->flag[1] != '-' && glued[0] != '\0' && count < ARRAY_LEN(flags))
			next = find_option(parser, span_of(letter, 2));
		if (next == NULL) {
			set_value_error(parser, option, "ignored explicit argument ", glued);
			return ARGS_USAGE;
		}
		flags[count++] = option;
		option = next;
		glued = glued[1] != '\0' ? glued + 1 : NULL;
	}
	/* Only now that the whole argument is understood the flags count. */
	for (size_t i = 0; i < count; i++) {
		enum cli_args_end end = take_flag(parser, flags[i]);

		if (end != ARGS_OK)
			return end;
	}
	if (glued == NULL)
		return consume_next(parser, option, at);
	take_value(parser, option, count > 0 && glued[0] == '=' ? glued + 1 : glued);
	return parser->error != NULL ? ARGS_USAGE : ARGS_OK;
}

static enum cli_args_end consume_option(struct parser *parser, size_t *at)
{
	const struct item *item = &parser->items[(*at)++];

	if (item->ambiguous != NULL) {
		set_error(parser, xstrdup(item->ambiguous));
		return ARGS_USAGE;
	}
	if (item->option == NULL) {
		strlist_add(&parser->extras, item->text);
		return ARGS_OK;
	}
	if (item->glued != NULL)
		return consume_glued(parser, item->option, item->glued, at);
	return consume_next(parser, item->option, at);
}

/* The first run of positionals is the application (and what is ignored behind it); later ones are one too many. */
static void consume_positionals(struct parser *parser, size_t *at)
{
	struct strlist *into = parser->has_positionals ? &parser->extras : parser->ret_positionals;

	for (; *at < parser->count && parser->items[*at].mark != MARK_OPTION; (*at)++) {
		if (parser->items[*at].mark == MARK_VALUE || parser->has_positionals)
			strlist_add(into, parser->items[*at].text);
	}
	parser->has_positionals = true;
}

static void set_extras_error(struct parser *parser)
{
	struct buf text = BUF_NONE;

	buf_add_str(&text, "unrecognized arguments:");
	for (size_t i = 0; i < parser->extras.count; i++)
		buf_addf(&text, " %s", parser->extras.items[i]);
	set_error(parser, buf_detach(&text));
}

static void init_parser(struct parser *parser, const struct strlist *args)
{
	bool is_after_dashes = false;

	add_options(parser, "-h --help", OPTION_HELP, NULL);
	add_options(parser, "-v --version", OPTION_VERSION, NULL);
	for (size_t i = 0; i < S_MAX; i++) {
		if (setting_rows[i].cli != NULL)
			add_options(parser, setting_rows[i].cli, OPTION_SETTING, &setting_rows[i]);
	}
	parser->count = args->count;
	parser->items = xcalloc(args->count + 1, sizeof *parser->items);
	for (size_t i = 0; i < args->count; i++) {
		struct item *item = &parser->items[i];

		item->text = args->items[i];
		if (is_after_dashes) {
			item->mark = MARK_VALUE;
		} else if (strcmp(item->text, "--") == 0) {
			item->mark = MARK_DASHES;
			is_after_dashes = true;
		} else {
			classify(parser, item);
		}
	}
}

enum cli_args_end cli_args_parse(const struct strlist *args, cli_args_fn found, void *context,
                                 struct strlist *ret_positionals, char **ret_error)
{
	struct parser *parser = xcalloc(1, sizeof *parser);
	enum cli_args_end end = ARGS_OK;
	size_t at = 0;

	parser->ret_positionals = ret_positionals;
	parser->found = found;
	parser->context = context;
	init_parser(parser, args);
	while (at < parser->count && end == ARGS_OK) {
		if (parser->items[at].mark == MARK_OPTION)
			end = consume_option(parser, &at);
		else
			consume_positionals(parser, &at);
	}
	if (end == ARGS_OK && parser->extras.count > 0) {
		set_extras_error(parser);
		end = ARGS_USAGE;
	}
	*ret_error = parser->error;
	for (size_t i = 0; i < parser->option_count; i++)
		free(parser->options[i].flag);
	for (size_t i = 0; i < parser->count; i++)
		free(parser->items[i].ambiguous);
	free(parser->items);
	strlist_release(&parser->extras);
	free(parser);
	return end;
}

int cli_args_split(const char *text, struct strlist *ret_args, const char **ret_problem)
{
	struct buf word = BUF_NONE;
	bool is_in_word = false;
	char quote = '\0';

	for (const char *at = text; *at != '\0'; at++) {
		bool is_escape = *at == '\\' && quote != '\'';

		if (is_escape && at[1] == '\0') {
			*ret_problem = "No escaped character";
			goto broken;
		}
		if (is_escape) {
			/* Within double quotes a backslash only escapes the quote and itself. */
			if (quote == '"' && at[1] != '"' && at[1] != '\\')
				buf_add_byte(&word, '\\');
			buf_add_byte(&word, *++at);
			is_in_word = true;
		} else if (quote != '\0' && *at == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*at == '"' || *at == '\'')) {
			quote = *at;
			is_in_word = true;
		} else if (quote == '\0' && strchr(" \t\r\n", *at) != NULL) {
			if (is_in_word)
				strlist_add_take(ret_args, buf_detach(&word));
			is_in_word = false;
		} else {
			buf_add_byte(&word, *at);
			is_in_word = true;
		}
	}
	if (quote != '\0') {
		*ret_problem = "No closing quotation";
		goto broken;
	}
	if (is_in_word)
		strlist_add_take(ret_args, buf_detach(&word));
	return 0;
broken:
	buf_release(&word);
	return -EINVAL;
}
