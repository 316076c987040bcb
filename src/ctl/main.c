/* SPDX-License-Identifier: MIT */
/*
 * main.c - program `gunwalectl`: looks at a running server, and tells it what to do.
 */
#include "base/base.h"

#include <getopt.h>
#include <math.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/span.h"
#include "ctl/client.h"
#include "ctl/table.h"
#include "ctl/top.h"

#define SOCKET_VARIABLE "GUNWALE_CONTROL_SOCKET"
#define DEFAULT_SOCKET "./gunwale.ctl"

enum { PAGE_COLUMNS = 80 };

static const char help[] =
	"usage: gunwalectl [-s SOCKET] COMMAND\n"
	"\n"
	"  status            how the server is, and its workers\n"
	"  top               the same, again and again, the fattest worker first; q ends it\n"
	"  recycle [SLOT]    replace the worker of that slot, or one worker after the other; no request is lost\n"
	"  reload            read the configuration again and roll over to new workers, as by SIGHUP\n"
	"  stop              finish all requests and end, as by SIGTERM\n"
	"  config            all settings, and where they come from\n"
	"  limits            the budgets of memory\n"
	"\n"
	"  -s, --socket SOCKET    the server's control_socket; else $" SOCKET_VARIABLE ", else " DEFAULT_SOCKET "\n"
	"      --json             status, config, limits: the whole document\n"
	"      --format FORMAT    status: json, prometheus, uwsgi, puma or health\n"
	"      --quick            stop: drop all requests, as by SIGINT\n"
	"  -i, --interval SECONDS top: time between two frames (default 1)\n"
	"  -n, --frames COUNT     top: end after so many\n"
	"  -h, --help             show this and end\n"
	"      --version          show the version and end\n"
	"\n"
	"The server makes the socket where its setting control_socket says. Only root and its own user are answered.\n"
	"Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no server answers at the socket.\n";

struct options {
	const char *socket;
	const char *format;
	bool is_json;
	bool is_quick;
	struct top_options top;
	const char *command;
	const char *argument; /* NULL: none */
};

enum { OPTION_JSON = 256, OPTION_FORMAT, OPTION_QUICK, OPTION_VERSION };

static int refuse_usage(const char *fmt, ...) ATTR_PRINTF(1, 2);

static int refuse_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)fputs("gunwalectl: ", stderr);
	(void)vfprintf(stderr, fmt, args);
	(void)fputs("\nTry 'gunwalectl --help'.\n", stderr);
	va_end(args);
	return CLIENT_USAGE;
}

static int print(struct buf *text_take)
{
	int error = fd_write_all(STDOUT_FILENO, text_take->data, text_take->len);

	buf_release(text_take);
	return error == 0 ? CLIENT_OK : CLIENT_REFUSED;
}

static int print_json(const json_t *value)
{
	struct buf text = BUF_NONE;
	char *json = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(12) | JSON_ENCODE_ANY);

	buf_addf(&text, "%s\n", json != NULL ? json : "null");
	free(json);
	return print(&text);
}

/* ---- what is done with the reply ---- */

static int show_status(const struct options *options, const json_t *reply)
{
	const char *text = json_string_value(json_object_get(reply, "text"));
	struct table_view view = { .columns = top_columns(STDOUT_FILENO, NULL) };
	struct buf page = BUF_NONE;

	if (options->is_json)
		return print_json(json_object_get(reply, "status"));
	if (view.columns == 0)
		view.columns = PAGE_COLUMNS;
	if (text != NULL)
		buf_add_str(&page, text);
	else
		table_add_status(&page, json_object_get(reply, "status"), &view);
	return print(&page);
}

static int show_config(const struct options *options, const json_t *reply)
{
	struct buf page = BUF_NONE;

	if (options->is_json)
		return print_json(json_object_get(reply, "settings"));
	table_add_config(&page, json_object_get(reply, "settings"));
	return print(&page);
}

static int show_limits(const struct options *options, const json_t *reply)
{
	struct buf page = BUF_NONE;

	if (options->is_json)
		return print_json(json_object_get(reply, "limits"));
	table_add_limits(&page, json_object_get(reply, "limits"));
	return print(&page);
}

static int show_recycle(const struct options *options, const json_t *reply)
{
	const json_t *slots = json_object_get(reply, "recycling");
	struct buf page = BUF_NONE;

	(void)options;
	if (json_array_size(slots) == 0)
		buf_add_str(&page, "No worker is there that is not being replaced already.\n");
	for (size_t i = 0; i < json_array_size(slots); i++)
		buf_addf(&page, "%s%lld%s", i == 0 ? "Slots that get another worker: " : ", ",
		         (long long)json_integer_value(json_array_get(slots, i)), i + 1 == json_array_size(slots) ? "\n" : "");
	return print(&page);
}

static int show_reload(const struct options *options, const json_t *reply)
{
	struct buf page = BUF_NONE;

	(void)options;
	(void)reply;
	buf_add_str(&page, "The reload has begun; the log and 'gunwalectl status' tell how it ends.\n");
	return print(&page);
}

static int show_stop(const struct options *options, const json_t *reply)
{
	struct buf page = BUF_NONE;

	(void)reply;
	buf_add_str(&page, options->is_quick ? "The server ends.\n" : "The server finishes its requests and ends.\n");
	return print(&page);
}

/* ---- commands ---- */

static const struct command {
	const char *name;
	bool takes_slot, takes_json, takes_format, takes_quick;
	int (*show)(const struct options *options, const json_t *reply);
} commands[] = {
	{ "status", false, true, true, false, show_status },   { "recycle", true, false, false, false, show_recycle },
	{ "reload", false, false, false, false, show_reload }, { "stop", false, false, false, true, show_stop },
	{ "config", false, true, false, false, show_config },  { "limits", false, true, false, false, show_limits },
	{ "top", false, false, false, false, NULL },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int check(const struct options *options, const struct command *command, uint64_t *ret_slot)
{
	if (options->argument != NULL && !command->takes_slot)
		return refuse_usage("%s takes no '%s'", command->name, options->argument);
	if (options->argument != NULL && (!span_to_u64(span_from_str(options->argument), ret_slot) || *ret_slot > INT32_MAX))
		return refuse_usage("'%s' is not the number of a slot", options->argument);
	if (options->is_json && !command->takes_json)
		return refuse_usage("%s takes no --json", command->name);
	if (options->format != NULL && !command->takes_format)
		return refuse_usage("%s takes no --format", command->name);
	if (options->is_json && options->format != NULL)
		return refuse_usage("--json and --format exclude each other");
	if (options->is_quick && !command->takes_quick)
		return refuse_usage("%s takes no --quick", command->name);
	return CLIENT_OK;
}

static int complain(enum client_result result, const struct err *err)
{
	(void)fprintf(stderr, "gunwalectl: %s\n", err->text);
	if (result == CLIENT_NO_SERVER)
		(void)fputs("The server needs a control_socket; -s or $" SOCKET_VARIABLE " says where it is.\n", stderr);
	return (int)result;
}

static int run(struct options *options)
{
	const struct command *command = find_command(options->command);
	struct err err = ERR_NONE;
	enum client_result result;
	json_t *request;
	json_t *reply = NULL;
	uint64_t slot = 0;
	int code;

	if (command == NULL)
		return refuse_usage("there is no command '%s'", options->command);
	code = check(options, command, &slot);
	if (code != CLIENT_OK)
		return code;
	options->top.socket = options->socket;
	if (command->show == NULL) {
		result = top_run(&options->top, &err);
		return result == CLIENT_OK ? CLIENT_OK : complain(result, &err);
	}
	request = json_pack("{s:s}", "command", command->name);
	if (options->argument != NULL)
		(void)json_object_set_new(request, "slot", json_integer((json_int_t)slot));
	if (options->format != NULL)
		(void)json_object_set_new(request, "format", json_string(options->format));
	if (options->is_quick)
		(void)json_object_set_new(request, "quick", json_true());
	result = client_ask(options->socket, request, &reply, &err);
	code = result == CLIENT_OK ? command->show(options, reply) : complain(result, &err);
	json_decref(reply);
	return code;
}

static bool to_interval(const char *text, uint64_t *ret_ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(seconds) || seconds < 0.1 || seconds > 3600)
		return false;
	*ret_ms = (uint64_t)(seconds * 1000);
	return true;
}

static bool to_count(const char *text, long *ret_count)
{
	uint64_t number;

	if (!span_to_u64(span_from_str(text), &number) || number == 0 || number > INT32_MAX)
		return false;
	*ret_count = (long)number;
	return true;
}

/* True: go on; false: leave with *ret_code. */
static bool parse(int argc, char **argv, struct options *options, int *ret_code)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },          { "json", no_argument, NULL, OPTION_JSON },
		{ "format", required_argument, NULL, OPTION_FORMAT }, { "quick", no_argument, NULL, OPTION_QUICK },
		{ "interval", required_argument, NULL, 'i' },        { "frames", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },                  { "version", no_argument, NULL, OPTION_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int found;

	*ret_code = CLIENT_USAGE;
	while ((found = getopt_long(argc, argv, "s:i:n:h", names, NULL)) != -1) {
		switch (found) {
		case 's':
			options->socket = optarg;
			break;
		case 'i':
			if (to_interval(optarg, &options->top.interval_ms))
				break;
			(void)refuse_usage("'%s' is no number of seconds from 0.1 to 3600", optarg);
			return false;
		case 'n':
			if (to_count(optarg, &options->top.frames))
				break;
			(void)refuse_usage("'%s' is no number of frames", optarg);
			return false;
		case OPTION_JSON:
			options->is_json = true;
			break;
		case OPTION_FORMAT:
			options->format = optarg;
			break;
		case OPTION_QUICK:
			options->is_quick = true;
			break;
		case 'h':
			(void)fputs(help, stdout);
			*ret_code = CLIENT_OK;
			return false;
		case OPTION_VERSION:
			(void)puts("gunwalectl (version " PACKAGE_VERSION ")");
			*ret_code = CLIENT_OK;
			return false;
		default:
			(void)fputs("Try 'gunwalectl --help'.\n", stderr);
			return false;
		}
	}
	if (optind == argc || argc - optind > 2) {
		(void)refuse_usage(optind == argc ? "which command?" : "too many words");
		return false;
	}
	options->command = argv[optind];
	options->argument = argv[optind + 1];
	return true;
}

int main(int argc, char **argv)
{
	const char *socket = getenv(SOCKET_VARIABLE);
	struct options options = {
		.socket = socket != NULL && socket[0] != '\0' ? socket : DEFAULT_SOCKET,
		.top = { .interval_ms = 1000 },
	};
	int code;

	return parse(argc, argv, &options, &code) ? run(&options) : code;
}
