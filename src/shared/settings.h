/* SPDX-License-Identifier: MIT */
/*
 * settings.h - every setting, made from tables/settings.def: one struct, one row of facts per setting.
 *
 * Values come as text (command line, environment, defaults) or as JSON (configuration file, link); both ways end in the same
 * parser per type, in settings_parse.c. Later sources replace earlier ones as gunicorn does: default < environment default <
 * configuration file < GUNICORN_CMD_ARGS < command line.
 */
#ifndef SHARED_SETTINGS_H
#define SHARED_SETTINGS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/strlist.h"

enum setting_type {
	T_BOOL,     /* bool */
	T_INT,      /* long, within [min, max] */
	T_SECONDS,  /* long */
	T_STR,      /* char *, NULL when unset */
	T_PATH,     /* char *, as given */
	T_DIR,      /* char *, made absolute against the launch directory; must exist */
	T_STRLIST,  /* struct strlist */
	T_ADDRLIST, /* struct strlist; each is a bind address, checked when bound */
	T_WORDS,    /* struct strlist; given as one text with commas; each is one of .words when the row has some */
	T_NETLIST,  /* the same; each is "*", an IP address or a network */
	T_ENUM,     /* int, index into .words */
	T_USER,     /* long uid; -1: not set */
	T_GROUP,    /* long gid; -1: not set */
	T_UMASK,    /* long; leading 0 is octal */
	T_DICT,     /* char *, JSON object text */
	T_PYOBJ,    /* char *; lives in Python, C knows its name only */
	T_SIZE,     /* struct size_value: auto, off, a size or a percentage */
};

/* A T_SIZE. Which of the kinds a row takes is in its `sizes`. */
enum size_kind { SIZE_OFF, SIZE_AUTO, SIZE_BYTES, SIZE_PERCENT };
struct size_value {
	enum size_kind kind;
	uint64_t amount; /* bytes, or percent of the memory limit */
};

enum setting_source { SOURCE_DEFAULT, SOURCE_ENVIRONMENT, SOURCE_FILE, SOURCE_CMD_ARGS, SOURCE_GUNWALE_ARGS, SOURCE_CLI };
enum setting_when {
	WHEN_RELOAD,
	WHEN_START
}; /* WHEN_START: a change by SIGHUP is named in a warning and waits for a restart */
/*
 * SUPPORTED: does what gunicorn's does. SILENT: accepted and checked, nothing follows from any value and nothing is said, because
 * nobody would miss the effect. IGNORED: the same, but a value other than the default is named in a warning. REFUSED: a value
 * other than the default ends the start, because a service that runs without it would surprise its owner.
 */
enum setting_status { SUPPORTED, SILENT, IGNORED, REFUSED };
enum setting_owner { BY_MASTER = 1, BY_TEMPLATE = 2, BY_WORKER = 4 };

enum setting_id {
#define SETTING(name, type, ...) S_##name,
#include "tables/settings.def"
#undef SETTING
	S_MAX
};

#define FIELD_BOOL(name) bool name;
#define FIELD_INT(name) long name;
#define FIELD_SECONDS(name) long name;
#define FIELD_STR(name) char *name;
#define FIELD_PATH(name) char *name;
#define FIELD_DIR(name) char *name;
#define FIELD_WORDS(name) struct strlist name;
#define FIELD_NETLIST(name) struct strlist name;
#define FIELD_STRLIST(name) struct strlist name;
#define FIELD_ADDRLIST(name) struct strlist name;
#define FIELD_ENUM(name) int name;
#define FIELD_USER(name) long name;
#define FIELD_GROUP(name) long name;
#define FIELD_UMASK(name) long name;
#define FIELD_DICT(name) char *name;
#define FIELD_PYOBJ(name) char *name;
#define FIELD_SIZE(name) struct size_value name;

struct settings {
#define SETTING(name, type, ...) FIELD_##type(name)
#include "tables/settings.def"
#undef SETTING
	uint8_t source[S_MAX]; /* enum setting_source */
	char *launch_dir;      /* what relative directories are taken from; not a setting */
};

struct setting {
	const char *name; /* as in gunicorn.conf.py */
	enum setting_type type;
	size_t at;              /* offset in struct settings */
	const char *cli;        /* "-w --workers"; NULL: configuration file only */
	const char *meta;       /* INT, STRING ... for --help */
	const char *def;        /* default as text, goes through the same parser; NULL: unset */
	const char *env;        /* environment variable that gives the default (T_BOOL: y, 1, yes and true switch on) */
	const char *env_prefix; /* put in front of the variable's value; NULL: nothing */
	long min, max;          /* of numbers; max 0: none but what fits 31 bits */
	const char *words;      /* T_ENUM, T_WORDS: "sync gthread", lower case */
	bool is_plain_mb;       /* T_SIZE: a plain number below 1,048,576 is megabytes, as people write it; else bytes */
	const char *sizes;      /* T_SIZE: which words it takes, and whether percentages: "auto off %" */
	bool sets_false;        /* a flag that turns the setting off (--no-...) */
	bool is_repeatable;     /* on the command line: every occurrence adds */
	bool takes_bool;        /* T_ENUM: True (true, 1) is the second word, False (false, 0, none) and None the first */
	bool names_files;       /* T_STRLIST: files that must exist, or patterns */
	bool names_targets;     /* T_STRLIST: paths of requests, or URLs */
	bool takes_any;         /* T_PYOBJ: numbers and lists, too (their text is kept) */
	bool checks_late;       /* T_INT: argparse takes any text, a bad one is no usage error (gunicorn: cert_reqs) */
	const char *bare_value; /* the value when the option stands alone (argparse: nargs="?"); NULL: a value must follow */
	int group;
	unsigned used_by; /* enum setting_owner, or-ed */
	enum setting_when when;
	enum setting_status status;
	const char *instead; /* IGNORED, REFUSED: why there is no such thing, and what to do; NULL: it will come */
	bool is_ours;        /* gunicorn has no such flag: must be spelled out, so that gunicorn's abbreviations keep their meaning */
	bool is_flag_only;   /* a configuration file cannot set it, and may use the name as it likes */
	const char *help;    /* one line for --help */
#ifdef WITH_DOCS
	const char *doc; /* prose for man page and docs */
#endif
};

extern const struct setting setting_rows[S_MAX];

/* The words of log_format. */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The words of memory_measure and memory_policy. */
enum memory_measure { MEMORY_MEASURE_RSS, MEMORY_MEASURE_PSS, MEMORY_MEASURE_USS };
enum memory_policy { MEMORY_POLICY_ACT, MEMORY_POLICY_REPORT, MEMORY_POLICY_OFF };

/* Groups, in the order of --help and the manual. */
enum setting_group {
	GROUP_CONFIG,
	GROUP_SOCKETS,
	GROUP_WORKERS,
	GROUP_MEMORY,
	GROUP_SECURITY,
	GROUP_DEBUG,
	GROUP_PROCESS,
	GROUP_LOGGING,
	GROUP_STATUS,
	GROUP_PROXY,
	GROUP_TLS,
	GROUP_OTHER,
	GROUP_MAX
};
extern const char *const setting_group_names[GROUP_MAX];

/*
 * The defaults, parsed from the rows; environment defaults (PORT, WEB_CONCURRENCY) applied on top when `environment` says so.
 * 0, or an exit code with a sentence (a bad environment variable).
 */
int settings_init(struct settings *settings, bool use_environment, struct err *err);
/* The same for a process that has left the directory it was started in: relative directories are taken from launch_dir. */
int settings_init_at(struct settings *settings, const char *launch_dir, bool use_environment, struct err *err);
/* The current directory under the name the shell uses; the caller frees. Call before any chdir(). */
char *settings_launch_dir(void);
/* Frees all values; harmless on a zeroed struct. */
void settings_release(struct settings *settings);
void settings_copy(struct settings *to, const struct settings *from); /* `to` is released first */

/* Whether a setting has the same value in both. */
bool settings_equal(const struct settings *a, const struct settings *b, enum setting_id id);

/* NULL when there is none of that name (exact, case-sensitive). */
const struct setting *setting_find(const char *name);
enum setting_id setting_id(const struct setting *row);

/*
 * Sets a value from text. Repeatable settings: a value from a higher source replaces what lower ones gave, values of the same
 * source are appended. A value from a lower source than the present one is ignored. 0 or -EINVAL with gunicorn's sentence.
 */
int settings_set(struct settings *settings, enum setting_id id, const char *text, enum setting_source source,
                 struct err *err);

/* 0, or -ENOTSUP with one sentence when a setting asks for something that must not be missing silently. */
int settings_check_supported(const struct settings *settings, struct err *err);
/* Adds one sentence for each setting that asks for something that does not exist yet. For the log, at WARNING, once a start. */
void settings_list_warnings(const struct settings *settings, struct strlist *ret_sentences);

/* settings_json.c (the only jansson user of shared/) */
/*
 * Applies a JSON object {"name": value}, as the template sends it for the configuration file. Types are checked as gunicorn
 * does (ints reject floats and None, bools reject 0 and 1 ...); names without a row are skipped. A value that JSON cannot hold
 * comes as {"__python__": repr(value)}: fit for T_PYOBJ, an error elsewhere.
 * 0, or -EINVAL with two lines in err: "Invalid value for NAME: VALUE" and the reason.
 */
int settings_from_json(struct settings *settings, const char *json, enum setting_source source, struct err *err);
/* All settings used by one of `owners` (or-ed), as a JSON object that settings_from_json() takes; the caller frees. */
char *settings_to_json(const struct settings *settings, unsigned owners);

/* The value as Python would print it (for --print-config and messages); the caller frees. */
char *setting_show(const struct settings *settings, enum setting_id id);
const char *
setting_source_name(enum setting_source source); /* "default", "environment", "file", "GUNICORN_CMD_ARGS", "command line" */
/* Names (comma separated, caller frees) of WHEN_START settings whose value differs; NULL when none does. */
char *settings_changed_at_start_only(const struct settings *old, const struct settings *now);

#endif
