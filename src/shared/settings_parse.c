/* SPDX-License-Identifier: MIT */
/*
 * settings_parse.c - one parser per type of setting, for every source.
 *
 * Called by settings.c (texts) and settings_json.c (values of the configuration file, and what the master sends). Rules and
 * sentences are gunicorn's (config.py validate_*). Reads the user database, the launch directory and nothing else.
 */
#include "base/base.h"
#include "shared/settings.h"

#include <arpa/inet.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/check.h"
#include "shared/settings_types.h"

#define BLANKS " \t\r\n\f\v"

/* What the parsers of one type get, and where the result goes. */
struct parse {
	const struct setting *row;
	const struct setting_input *input;
	const char *launch_dir;
	void *field;
	bool is_added;
	struct err *err;
};

static int fail_not_text(const struct parse *parse)
{
	return err_set(parse->err, -EINVAL, "Not a string: %s", parse->input->shown);
}

static int parse_bool(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	bool *field = parse->field;
	struct span text;

	if (input->kind == IN_NONE || input->kind == IN_BOOL) {
		*field = input->kind == IN_BOOL && input->flag;
		return 0;
	}
	if (input->kind != IN_TEXT)
		return err_set(parse->err, -EINVAL, "Invalid type for casting: %s", input->shown);
	text = span_trim(span_from_str(input->text), BLANKS);
	if (span_equals_nocase(text, SPAN_LIT("true")))
		*field = true;
	else if (span_equals_nocase(text, SPAN_LIT("false")))
		*field = false;
	else
		return err_set(parse->err, -EINVAL, "Invalid boolean: %s", input->text);
	return 0;
}

static int parse_number(const struct parse *parse)
{
	const struct setting *row = parse->row;
	const struct setting_input *input = parse->input;
	long number = 0, highest = row->max != 0 ? row->max : INT32_MAX;
	int rc = 0;

	if (input->kind == IN_INT)
		number = input->number;
	else if (input->kind == IN_BOOL)
		number = input->flag; /* bool is an int in Python */
	else if (input->kind == IN_TEXT)
		rc = row->type == T_UMASK ? setting_parse_auto_int(input->text, &number)
		                          : setting_parse_int(input->text, 0, &number);
	else
		return err_set(parse->err, -EINVAL, "int() can't convert non-string with explicit base");
	if (rc == -EINVAL) {
		struct buf shown = BUF_NONE;

		setting_add_repr(&shown, input->text);
		(void)err_set(parse->err, rc, "invalid literal for int() with base 0: %s", buf_text(&shown));
		buf_release(&shown);
		return rc;
	}
	if (rc == 0 && number < 0)
		return err_set(parse->err, -EINVAL, "Value must be positive: %ld", number);
	if (rc != 0 || number < row->min || number > highest)
		return err_set(parse->err, -EINVAL, "%s must be between %ld and %ld, got %s", row->name, row->min, highest,
		               input->shown);
	*(long *)parse->field = number;
	return 0;
}

static void store_text(const struct parse *parse, char *text_take)
{
	char **field = parse->field;

	free(*field);
	*field = text_take;
}

static int parse_text(const struct parse *parse)
{
	const struct setting_input *input = parse->input;

	if (input->kind == IN_TEXT)
		store_text(parse, span_dup(span_trim(span_from_str(input->text), BLANKS)));
	else if (input->kind == IN_NONE)
		store_text(parse, NULL);
	else if (parse->row->takes_any || (parse->row->type == T_PYOBJ && input->kind == IN_OTHER))
		store_text(parse, xstrdup(input->shown));
	else
		return fail_not_text(parse);
	return 0;
}

/* gunicorn: util.py getcwd() */
char *settings_launch_dir(void)
{
	const char *logical = getenv("PWD");
	struct stat here, there;
	char *path;

	if (logical != NULL && logical[0] == '/' && stat(logical, &there) == 0 && stat(".", &here) == 0 &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
		return xstrdup(logical);
	path = getcwd(NULL, 0);
	return path != NULL ? path : xstrdup("/");
}

/* Python's os.path.abspath(os.path.join(base, path)): a matter of text, symbolic links are not looked at. */
static char *join_normalized(const char *base, const char *path)
{
	char *joined = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", base, path);
	struct span rest = span_from_str(joined), part;
	struct buf result = BUF_NONE;

	while (span_split(&rest, '/', &part)) {
		if (part.len == 0 || span_equals(part, SPAN_LIT(".")))
			continue;
		if (span_equals(part, SPAN_LIT(".."))) {
			while (result.len > 0 && result.data[--result.len] != '/')
				;
			continue;
		}
		buf_add_byte(&result, '/');
		buf_add_span(&result, part);
	}
	if (result.len == 0)
		buf_add_byte(&result, '/');
	free(joined);
	return buf_detach(&result);
}

static int parse_dir(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	struct buf shown = BUF_NONE;
	char *given = NULL, *path = NULL;
	int rc = 0;

	if (input->kind != IN_TEXT)
		return fail_not_text(parse);
	given = span_dup(span_trim(span_from_str(input->text), BLANKS));
	path = join_normalized(parse->launch_dir, given);
	/* Where the present directory comes in it is no setting's text yet, and setting_is_utf8() was not asked. */
	if (!setting_is_utf8(path)) {
		rc = err_set(parse->err, -EINVAL, "The directory of %s is not valid UTF-8", parse->row->name);
		goto out;
	}
	if (access(path, F_OK) != 0) {
		setting_add_repr(&shown, given);
		rc = err_set(parse->err, -EINVAL, "can't chdir to %s", buf_text(&shown));
		goto out;
	}
	store_text(parse, path);
	path = NULL;
out:
	buf_release(&shown);
	free(given);
	free(path);
	return rc;
}

static int check_item(const struct parse *parse, struct span text)
{
	char *item = span_dup(span_trim(text, BLANKS));
	int rc = 0;

	/* gunicorn: config.py validate_list_of_files_or_patterns(); what has no glob character must be there. */
	if (parse->row->names_files && strpbrk(item, "*?[") == NULL && access(item, F_OK) != 0)
		rc = err_set(parse->err, -EINVAL, "File %s does not exist.", item);
	if (parse->row->names_targets && !setting_is_target(item))
		rc = err_set(parse->err, -EINVAL,
		             "%s must be a path that begins with one / or a URL (http://host:port/path, no user), percent-encoded "
		             "and without a fragment (#), got %s",
		             parse->row->name, item);
	free(item);
	return rc;
}

static int parse_strlist(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	struct strlist *field = parse->field;

	if (input->kind != IN_NONE && input->kind != IN_TEXT && input->kind != IN_LIST && !input->is_empty)
		return err_set(parse->err, -EINVAL, "Not a list of strings: %s", input->shown);
	if (input->kind == IN_LIST && input->bad_item != NULL)
		return err_set(parse->err, -EINVAL, "Not a string: %s", input->bad_item);
	if (input->kind == IN_TEXT && check_item(parse, span_from_str(input->text)) != 0)
		return -EINVAL;
	for (size_t i = 0; input->kind == IN_LIST && i < input->list.count; i++) {
		if (check_item(parse, span_from_str(input->list.items[i])) != 0)
			return -EINVAL;
	}
	if (!parse->is_added)
		strlist_release(field);
	if (input->kind == IN_TEXT)
		strlist_add_span(field, span_trim(span_from_str(input->text), BLANKS));
	for (size_t i = 0; input->kind == IN_LIST && i < input->list.count; i++)
		strlist_add_span(field, span_trim(span_from_str(input->list.items[i]), BLANKS));
	return 0;
}

/* Python's ipaddress.ip_network(): an address or a network without host bits. */
static bool is_network(const char *text)
{
	unsigned char bytes[16] = { 0 };
	const char *slash = strchr(text, '/');
	char *address = slash != NULL ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
	unsigned bits = 0;
	uint64_t prefix;
	bool is_valid = false;

	if (inet_pton(AF_INET, address, bytes) == 1)
		bits = 32;
	else if (inet_pton(AF_INET6, address, bytes) == 1)
		bits = 128;
	free(address);
	if (bits == 0 || slash == NULL)
		return bits != 0;
	if (span_to_u64(span_from_str(slash + 1), &prefix) && prefix <= bits) {
		is_valid = true;
		for (unsigned i = (unsigned)prefix; i < bits; i++)
			is_valid = is_valid && (bytes[i / 8] & (0x80U >> (i % 8))) == 0;
	}
	return is_valid;
}

static int check_words(const struct parse *parse, const struct strlist *words)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];

		if (parse->row->type == T_NETLIST && strcmp(word, "*") != 0 && !is_network(word))
			return err_set(parse->err, -EINVAL, "'%s' does not appear to be an IPv4 or IPv6 network", word);
		if (parse->row->words == NULL)
			continue;
		if (setting_find_word(parse->row->words, word) < 0)
			return err_set(parse->err, -EINVAL, "Invalid %s: '%s'", parse->row->name, word);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(words->items[k], word) == 0)
				return err_set(parse->err, -EINVAL, "Duplicate in %s: '%s'", parse->row->name, word);
		}
	}
	return 0;
}

/* gunicorn takes one text with commas and refuses lists; our own JSON to the template has lists. */
static int parse_words(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	struct strlist words = { NULL, 0 };
	int rc;

	if (input->kind != IN_TEXT && input->kind != IN_NONE)
		return fail_not_text(parse);
	if (input->kind == IN_TEXT) {
		struct span rest = span_trim(span_from_str(input->text), BLANKS), piece;

		while (span_split(&rest, ',', &piece)) {
			piece = span_trim(piece, BLANKS);
			if (piece.len > 0) /* one of blanks is an empty word for gunicorn, which names nothing either */
				strlist_add_span(&words, piece);
		}
	}
	/* gunicorn: validate_http_protocols(): nothing means the first. */
	if (words.count == 0 && parse->row->words != NULL)
		strlist_add_span(&words, setting_word_at(parse->row->words, 0));
	rc = check_words(parse, &words);
	if (rc == 0) {
		strlist_release(parse->field);
		*(struct strlist *)parse->field = words;
	} else {
		strlist_release(&words);
	}
	return rc;
}

struct span setting_word_at(const char *words, int index)
{
	struct span rest = span_from_str(words), word = SPAN_NONE;

	while (index-- >= 0) {
		if (!span_split(&rest, ' ', &word))
			return SPAN_NONE;
	}
	return word;
}

int setting_find_word(const char *words, const char *word)
{
	struct span wanted = span_trim(span_from_str(word), BLANKS), rest = span_from_str(words), candidate;

	for (int i = 0; span_split(&rest, ' ', &candidate); i++) {
		if (span_equals_nocase(candidate, wanted))
			return i;
	}
	return -1;
}

static int parse_enum(const struct parse *parse)
{
	const struct setting *row = parse->row;
	const struct setting_input *input = parse->input;
	int *field = parse->field, found = -1;

	if (row->takes_bool && (input->kind == IN_BOOL || input->kind == IN_NONE)) {
		*field = input->kind == IN_BOOL && input->flag;
		return 0;
	}
	if (input->kind != IN_TEXT)
		return err_set(parse->err, -EINVAL, "Invalid type for casting: %s", input->shown);
	found = setting_find_word(row->words, input->text);
	/* gunicorn: validate_proxy_protocol() */
	if (found < 0 && row->takes_bool) {
		if (setting_find_word("false 0 none", input->text) >= 0)
			found = 0;
		else if (setting_find_word("true 1", input->text) >= 0)
			found = 1;
	}
	if (found < 0)
		return err_set(parse->err, -EINVAL, "Invalid %s: '%s' (one of: %s)", row->name, input->text, row->words);
	*field = found;
	return 0;
}

static bool is_all_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int parse_owner(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	bool is_user = parse->row->type == T_USER;
	long id = -1;

	if (input->kind == IN_NONE) {
		*(long *)parse->field = -1;
		return 0;
	}
	if (input->kind == IN_INT || input->kind == IN_BOOL) {
		id = input->kind == IN_INT ? input->number : input->flag;
		if (id < 0)
			return err_set(parse->err, -EINVAL, "Value must be positive: %ld", id);
	} else if (input->kind != IN_TEXT) {
		return fail_not_text(parse);
	} else if (is_all_digits(input->text)) {
		if (setting_parse_int(input->text, 10, &id) != 0)
			id = LONG_MAX;
	} else if (is_user) {
		const struct passwd *entry = getpwnam(input->text);

		id = entry != NULL ? (long)entry->pw_uid : -1;
	} else {
		const struct group *entry = getgrnam(input->text);

		id = entry != NULL ? (long)entry->gr_gid : -1;
	}
	/* (uid_t)-1 means "leave it" to setresuid(2), so it is no user. */
	if (id < 0 || id >= (long)UINT32_MAX)
		return err_set(parse->err, -EINVAL, "No such %s: '%s'", is_user ? "user" : "group", input->shown);
	*(long *)parse->field = id;
	return 0;
}

static int parse_size(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	struct size_value size = { SIZE_OFF, 0 };
	struct buf forms = BUF_NONE;
	int rc = 0;

	/* None and False switch it off where that can be, as everywhere in a configuration file. */
	if (input->kind == IN_NONE || (input->kind == IN_BOOL && !input->flag))
		rc = setting_parse_size(parse->row, "off", &size);
	else if (input->kind == IN_TEXT || input->kind == IN_INT)
		rc = setting_parse_size(parse->row, input->shown, &size);
	else
		rc = -EINVAL;
	if (rc == 0) {
		*(struct size_value *)parse->field = size;
		return 0;
	}
	setting_add_size_forms(&forms, parse->row);
	(void)err_set(parse->err, -EINVAL, "%s must be %s, not '%s'", parse->row->name, buf_text(&forms), input->shown);
	buf_release(&forms);
	return -EINVAL;
}

static int parse_dict(const struct parse *parse)
{
	const struct setting_input *input = parse->input;
	char *normalized = NULL;

	if (input->kind == IN_DICT || input->kind == IN_TEXT)
		normalized = setting_normalize_dict(input->text);
	if (normalized == NULL)
		return err_set(parse->err, -EINVAL, "Value is not a dictionary: %s", input->shown);
	store_text(parse, normalized);
	return 0;
}

int setting_parse(const struct setting *row, const struct setting_input *input, bool is_added, struct settings *settings,
                  struct err *err)
{
	struct parse parse = { row, input, settings->launch_dir, setting_field(settings, row), is_added, err };

	switch (row->type) {
	case T_BOOL:
		return parse_bool(&parse);
	case T_INT:
	case T_SECONDS:
	case T_UMASK:
		return parse_number(&parse);
	case T_STR:
	case T_PATH:
	case T_PYOBJ:
		return parse_text(&parse);
	case T_DIR:
		return parse_dir(&parse);
	case T_STRLIST:
	case T_ADDRLIST:
		return parse_strlist(&parse);
	case T_WORDS:
	case T_NETLIST:
		return parse_words(&parse);
	case T_ENUM:
		return parse_enum(&parse);
	case T_USER:
	case T_GROUP:
		return parse_owner(&parse);
	case T_DICT:
		return parse_dict(&parse);
	case T_SIZE:
		return parse_size(&parse);
	}
	BUG("setting %s has no parser", row->name);
}
