/* SPDX-License-Identifier: MIT */
/*
 * worker_class.c - the worker class that is meant, and what to say to those who want one that is not here.
 *
 * Called by the master's settings check and by the worker's choice of its loop. Pure.
 */
#include "base/base.h"

#include "shared/worker_class.h"

#include "base/buf.h"
#include "base/span.h"

static const struct {
	const char *name;
	enum setting_status status;
	const char *spellings;
} classes[] = {
#define WORKER_CLASS(name, status, spellings) { #name, status, spellings },
#include "tables/worker_class.def"
#undef WORKER_CLASS
};

static const struct {
	const char *words;
	const char *advice;
} foreign[] = {
#define FOREIGN_CLASS(words, advice) { words, advice },
#include "tables/worker_class.def"
#undef FOREIGN_CLASS
};

/* gunicorn: util.py load_class(), "egg:gunicorn#sync" and "#sync" are "sync". */
static struct span short_spelling(const char *text)
{
	static const char *const prefixes[] = { "egg:gunicorn#", "egg:gunwale#", "#" };
	struct span spelling = span_trim(span_from_str(text), " \t");

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (span_starts_with(spelling, span_from_str(prefixes[i])))
			return span_of(spelling.at + len, spelling.len - len);
	}
	return spelling;
}

static size_t find_class(struct span spelling)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct span rest = span_from_str(classes[i].spellings), word;

		while (span_split(&rest, ' ', &word)) {
			if (span_equals(word, spelling))
				return i;
		}
	}
	return ARRAY_LEN(classes);
}

static size_t index_of(const struct settings *settings)
{
	size_t found = find_class(short_spelling(settings->worker_class != NULL ? settings->worker_class : "sync"));

	/* gunicorn: config.py worker_class_str() */
	if (found < ARRAY_LEN(classes) && settings->threads > 1 && strcmp(classes[found].name, "sync") == 0 &&
	    classes[find_class(SPAN_LIT("gthread"))].status == SUPPORTED)
		found = find_class(SPAN_LIT("gthread"));
	return found;
}

const char *worker_class_loop(const struct settings *settings)
{
	size_t found = index_of(settings);

	return found < ARRAY_LEN(classes) ? classes[found].name : NULL;
}

const char *worker_class_shown(const struct settings *settings)
{
	const char *name = worker_class_loop(settings);
	const char *given = settings->worker_class != NULL ? settings->worker_class : "sync";
	size_t own = find_class(short_spelling(given));

	return name != NULL && strcmp(name, classes[own].name) != 0 ? name : given;
}

static const char *find_advice(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		struct span rest = span_from_str(foreign[i].words), word;

		if (foreign[i].words[0] == '\0')
			return foreign[i].advice;
		while (span_split(&rest, ' ', &word)) {
			char *text = span_dup(word);
			bool is_in = strcasestr(name, text) != NULL;

			free(text);
			if (is_in)
				return foreign[i].advice;
		}
	}
	return "";
}

static int refuse(const char *name, const char *advice, struct err *err)
{
	struct buf ours = BUF_NONE;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (classes[i].status == SUPPORTED)
			buf_addf(&ours, "%s%s", ours.len > 0 ? ", " : "", classes[i].name);
	}
	rc = err_set(err, -ENOTSUP, "Worker class '%s' is not supported: %s (worker_class may be: %s; "
	             "--delegate-unknown-workers lets gunicorn run others)", name, advice,
	             buf_text(&ours));
	buf_release(&ours);
	return rc;
}

int worker_class_check(const struct settings *settings, struct err *err)
{
	size_t found = index_of(settings);

	if (found == ARRAY_LEN(classes) && settings->delegate_unknown_workers)
		return 0;
	if (found == ARRAY_LEN(classes))
		return refuse(settings->worker_class, find_advice(settings->worker_class), err);
	if (classes[found].status == SUPPORTED)
		return 0;
	return refuse(classes[found].name, "it does not work yet", err);
}
