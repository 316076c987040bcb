/* SPDX-License-Identifier: MIT */
/*
 * settings_types.h - between the settings_*.c files (and the command line): a value before it is checked, and the one parser
 * per type. Nobody else includes it.
 */
#ifndef SHARED_SETTINGS_TYPES_H
#define SHARED_SETTINGS_TYPES_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "shared/settings.h"

/* What kind of Python value came in. Text sources only ever give IN_TEXT. */
enum input_kind { IN_NONE, IN_BOOL, IN_INT, IN_TEXT, IN_LIST, IN_DICT, IN_OTHER };

struct setting_input {
	enum input_kind kind;
	bool flag;            /* IN_BOOL */
	long number;          /* IN_INT */
	const char *text;     /* IN_TEXT; IN_DICT: JSON */
	struct strlist list;  /* IN_LIST: its texts; borrowed by the parser */
	const char *bad_item; /* IN_LIST: as Python prints the first item that is no text; NULL when all are */
	bool is_empty;        /* falsy in Python: an empty list for the list types */
	const char *shown;    /* as Python's str() prints the value */
};

/*
 * Checks the input against the row and stores it in the row's field of `settings`, whose old value is freed; a list field is
 * added to when `is_added`. 0 or -EINVAL with gunicorn's sentence, and then nothing has changed.
 */
int setting_parse(const struct setting *row, const struct setting_input *input, bool is_added, struct settings *settings,
                  struct err *err);

/* The field of a row. */
void *setting_field(const struct settings *settings, const struct setting *row);
bool setting_is_list(const struct setting *row);
bool setting_is_text(const struct setting *row);   /* a char * field */
void setting_release(struct settings *settings, const struct setting *row);

/* Python's int(text, base) for base 10 and 0: blanks around, sign, underscores. 0, -EINVAL, or -ERANGE above 63 bits. */
int setting_parse_int(const char *text, int base, long *ret_number);
/* gunicorn's auto_int(): base 0, but a leading 0 with a digit behind it is octal. */
int setting_parse_auto_int(const char *text, long *ret_number);
/* Index of `word` in a row's .words, or -1. */
int setting_find_word(const char *words, const char *word);
/* The word of that index as a span; empty when out of range. */
struct span setting_word_at(const char *words, int index);

/*
 * settings_size.c: "auto", "off", "0", "400" (megabytes where the row says so), "64K", "1.5G", "512MiB", "80%", whatever of
 * these the row takes. -EINVAL when the text is none of them.
 */
int setting_parse_size(const struct setting *row, const char *text, struct size_value *ret_size);
/* As it is written: "auto", "off", "80%", "400M". setting_parse_size() takes it, whatever the row's plain numbers mean. */
void setting_add_size(struct buf *into, const struct size_value *size);
/* What the row takes, for a sentence: "auto, off, a size such as 64M, or a percentage of the memory limit". */
void setting_add_size_forms(struct buf *into, const struct setting *row);

/* settings_target.c: "/path?query", or a URL with a host. */
bool setting_is_target(const char *text);

/* Python's repr() of a text. */
void setting_add_repr(struct buf *into, const char *text);

/* settings_json.c */
bool setting_is_utf8(const char *text);
/* JSON text of a dictionary. NULL when `text` is none; the caller frees. */
char *setting_normalize_dict(const char *text);
bool setting_dicts_equal(const char *a, const char *b);
/* As Python's str() would print the dictionary. */
void setting_add_dict(struct buf *into, const char *json);

#endif
