/* SPDX-License-Identifier: MIT */
/*
 * environ.c - struct http_request into the environ of PEP 3333.
 *
 * Called by worker/exchange.c for every request: one dict copy, and one str for each value that the client gave. Decides
 * nothing about trust: fields that the application must not see have been taken out of the request before.
 */
#include "base/base.h"

#include "py/environ.h"

#include "http/field.h"
#include "py/errors.h"
#include "py/filewrapper.h"
#include "shared/worker_class.h"

/* Keys that every environ has, or that are set one by one. */
#define KEYS(KEY)                                                                                                           \
	KEY(REQUEST_METHOD)                                                                                                 \
	KEY(QUERY_STRING)                                                                                                   \
	KEY(RAW_URI)                                                                                                        \
	KEY(SERVER_PROTOCOL)                                                                                                \
	KEY(REMOTE_ADDR)                                                                                                    \
	KEY(REMOTE_PORT)                                                                                                    \
	KEY(SERVER_NAME)                                                                                                    \
	KEY(SERVER_PORT)                                                                                                    \
	KEY(PATH_INFO)                                                                                                      \
	KEY(SCRIPT_NAME)

/* clang-format off */
enum key_id {
#define KEY(name) KEY_##name,
	KEYS(KEY)
#undef KEY
	KEY_INPUT,
	KEY_SCHEME,
	KEY_EARLY_HINTS,
	KEY_SOCKET,
	KEY_MAX
};

static const char *const key_texts[KEY_MAX] = {
#define KEY(name) [KEY_##name] = #name,
	KEYS(KEY)
#undef KEY
	[KEY_INPUT] = "wsgi.input",
	[KEY_SCHEME] = "wsgi.url_scheme",
	[KEY_EARLY_HINTS] = "wsgi.early_hints",
	[KEY_SOCKET] = "gunicorn.socket",
};
/* clang-format on */

enum { METHOD_GET };
static const char *const method_texts[] = { [METHOD_GET] = "GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS" };

/* Interned once in a process, shared by all kits. */
static struct {
	PyObject *keys[KEY_MAX];
	PyObject *fields[HTTP_FIELD_MAX];
	PyObject *methods[ARRAY_LEN(method_texts)];
	PyObject *http_1_0, *http_1_1, *http, *https, *empty;
	bool is_ready;
} texts;

static PyObject *intern(const char *text)
{
	return PyUnicode_InternFromString(text);
}

static int prepare_texts(void)
{
	bool is_whole = true;

	if (texts.is_ready)
		return 0;
	for (size_t i = 0; i < KEY_MAX; i++)
		is_whole &= (texts.keys[i] = intern(key_texts[i])) != NULL;
	for (size_t i = HTTP_FIELD_OTHER + 1; i < HTTP_FIELD_MAX; i++)
		is_whole &= (texts.fields[i] = intern(http_field_key((enum http_field_id)i))) != NULL;
	for (size_t i = 0; i < ARRAY_LEN(method_texts); i++)
		is_whole &= (texts.methods[i] = intern(method_texts[i])) != NULL;
	is_whole &= (texts.http_1_0 = intern("HTTP/1.0")) != NULL;
	is_whole &= (texts.http_1_1 = intern("HTTP/1.1")) != NULL;
	is_whole &= (texts.http = intern("http")) != NULL;
	is_whole &= (texts.https = intern("https")) != NULL;
	is_whole &= (texts.empty = intern("")) != NULL;
	texts.is_ready = is_whole;
	return is_whole ? 0 : -1;
}

/*
 * A copied dict keeps the room of the original. Four keys more than the base needs, set and deleted, bring it to the size
 * that holds a browser's headers without growing.
 */
static int make_room(PyObject *dict)
{
	static const char *const fillers[] = { "a", "b", "c", "d" };
	int result = 0;

	for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
		result |= PyDict_SetItemString(dict, fillers[i], Py_None);
	for (size_t i = 0; result == 0 && i < ARRAY_LEN(fillers); i++)
		result |= PyDict_DelItemString(dict, fillers[i]);
	return result;
}

static int fill_base(PyObject *base, const struct environ_options *options)
{
	int result = 0;

	/* In the order in which they are read when somebody prints an environ. */
	result |= py_dict_put_take(base, "wsgi.version", Py_BuildValue("(ii)", 1, 0));
	result |= py_dict_put_take(base, "wsgi.errors", errors_new());
	result |= py_dict_put_take(base, "wsgi.multithread", PyBool_FromLong(options->is_multithread));
	result |= py_dict_put_take(base, "wsgi.multiprocess", PyBool_FromLong(options->is_multiprocess));
	result |= py_dict_put_take(base, "wsgi.run_once", PyBool_FromLong(0));
	result |= PyDict_SetItemString(base, "wsgi.file_wrapper", filewrapper_class());
	result |= py_dict_put_take(base, "wsgi.input_terminated", PyBool_FromLong(1));
	result |= py_dict_put_take(base, "SERVER_SOFTWARE", PyUnicode_FromString(options->software));
	for (size_t i = 0; result == 0 && i < KEY_MAX; i++)
		if (i != KEY_REMOTE_PORT && i != KEY_SOCKET)
			result |= PyDict_SetItem(base, texts.keys[i], texts.empty);
	/* What most requests have is there already. */
	result |= PyDict_SetItem(base, texts.keys[KEY_REQUEST_METHOD], texts.methods[METHOD_GET]);
	result |= PyDict_SetItem(base, texts.keys[KEY_SERVER_PROTOCOL], texts.http_1_1);
	result |= PyDict_SetItem(base, texts.keys[KEY_SCHEME], texts.http);
	return result == 0 ? make_room(base) : -1;
}

static int put_server(PyObject *dict, const struct environ_server *server)
{
	return PyDict_SetItem(dict, texts.keys[KEY_SERVER_NAME], server->name) |
	       PyDict_SetItem(dict, texts.keys[KEY_SERVER_PORT], server->port);
}

struct environ_options environ_options_from(const struct settings *settings, const char *software)
{
	return (struct environ_options){
		.software = software,
		.is_multiprocess = settings->workers > 1,
		.is_multithread = strcmp(worker_class_loop(settings), "sync") != 0,
	};
}

int environ_kit_init(struct environ_kit *kit, const struct environ_options *options)
{
	const char *script_name = getenv("SCRIPT_NAME");

	*kit = (struct environ_kit){ .script_name = xstrdup(script_name != NULL ? script_name : "") };
	if (prepare_texts() < 0)
		return -1;
	kit->base = PyDict_New();
	if (kit->base == NULL)
		return -1;
	return fill_base(kit->base, options);
}

int environ_kit_expect(struct environ_kit *kit, const struct environ_server *server)
{
	if (put_server(kit->base, server) != 0)
		return -1;
	kit->server = server;
	return 0;
}

void environ_kit_release(struct environ_kit *kit)
{
	Py_CLEAR(kit->base);
	kit->server = NULL;
	free(kit->script_name);
	kit->script_name = NULL;
}

static struct span get_script_name(const struct environ_kit *kit, const struct environ_facts *facts)
{
	return facts->script_name.at != NULL ? facts->script_name : span_from_str(kit->script_name);
}

bool environ_fits_path(const struct environ_kit *kit, const struct http_request *request, const struct environ_facts *facts)
{
	return span_starts_with(request->path, get_script_name(kit, facts));
}

static int put_text(PyObject *dict, enum key_id key, struct span text)
{
	PyObject *value = text.len > 0 ? py_latin1(text) : py_ref(texts.empty);
	const int result = value != NULL ? PyDict_SetItem(dict, texts.keys[key], value) : -1;

	Py_XDECREF(value);
	return result;
}

/* GET is in the base already; so are the protocol, the server and the scheme of most requests below. */
static int put_method(PyObject *dict, struct span method)
{
	if (LIKELY(span_equals(method, span_from_str(method_texts[METHOD_GET]))))
		return 0;
	for (size_t i = METHOD_GET + 1; i < ARRAY_LEN(method_texts); i++)
		if (method.len == strlen(method_texts[i]) && memcmp(method.at, method_texts[i], method.len) == 0)
			return PyDict_SetItem(dict, texts.keys[KEY_REQUEST_METHOD], texts.methods[i]);
	return put_text(dict, KEY_REQUEST_METHOD, method);
}

static int put_protocol(PyObject *dict, const struct http_request *request)
{
	char text[32];
	int len;

	if (LIKELY(request->version_major == 1 && request->version_minor == 1))
		return 0;
	if (request->version_major == 1 && request->version_minor == 0)
		return PyDict_SetItem(dict, texts.keys[KEY_SERVER_PROTOCOL], texts.http_1_0);
	len = snprintf(text, sizeof(text), "HTTP/%d.%d", request->version_major, request->version_minor);
	return put_text(dict, KEY_SERVER_PROTOCOL, span_of(text, (size_t)len));
}

static int put_path(PyObject *dict, struct span path)
{
	char small[1024];
	char *decoded = small;
	int result;

	if (path.len == 0 || memchr(path.at, '%', path.len) == NULL)
		return put_text(dict, KEY_PATH_INFO, path);
	if (path.len > sizeof(small))
		decoded = PyMem_Malloc(path.len);
	if (decoded == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	result = put_text(dict, KEY_PATH_INFO, span_of(decoded, http_unquote(path, decoded)));
	if (decoded != small)
		PyMem_Free(decoded);
	return result;
}

/* gunicorn: a unix socket has no name, so the Host header gives it; the port is the scheme's unless Host says. */
static int put_server_from_host(PyObject *dict, const struct environ_facts *facts, struct span host)
{
	struct span port = facts->is_https ? SPAN_LIT("443") : SPAN_LIT("80");
	size_t at = host.len;

	while (at > 0 && host.at[at - 1] != ':' && host.at[at - 1] != ']')
		at--;
	if (at > 0 && host.at[at - 1] == ':') {
		port = span_of(host.at + at, host.len - at);
		host.len = at - 1;
	}
	return put_text(dict, KEY_SERVER_NAME, host) | put_text(dict, KEY_SERVER_PORT, port);
}

static int put_proxy(PyObject *dict, const struct environ_proxy *proxy)
{
	int result = py_dict_put_take(dict, "PROXY_PROTOCOL", PyUnicode_FromString(proxy->protocol));

	if (proxy->address[0] != '\0') {
		result |= py_dict_put_take(dict, "PROXY_ADDR", PyUnicode_FromString(proxy->address));
		result |= py_dict_put_take(dict, "PROXY_PORT", PyUnicode_FromString(proxy->port));
	}
	return result;
}

static int put_peers(PyObject *dict, const struct environ_kit *kit, const struct http_request *request,
                     const struct environ_facts *facts)
{
	int result = PyDict_SetItem(dict, texts.keys[KEY_REMOTE_ADDR], facts->remote_addr);

	if (facts->remote_port != NULL)
		result |= PyDict_SetItem(dict, texts.keys[KEY_REMOTE_PORT], facts->remote_port);
	if (facts->proxy != NULL)
		result |= put_proxy(dict, facts->proxy);
	if (facts->server->is_unix && request->host.len > 0)
		return result | put_server_from_host(dict, facts, request->host);
	return LIKELY(facts->server == kit->server) ? result : result | put_server(dict, facts->server);
}

static PyObject *get_field_key(const struct http_field *field)
{
	char small[256];
	char *text = small;
	PyObject *key;

	if (LIKELY(field->id != HTTP_FIELD_OTHER))
		return py_ref(texts.fields[field->id]);
	if (field->name.len + 6 > sizeof(small))
		text = PyMem_Malloc(field->name.len + 6);
	if (text == NULL)
		return PyErr_NoMemory();
	key = py_latin1(span_of(text, http_field_write_key(field->name, text)));
	if (text != small)
		PyMem_Free(text);
	return key;
}

static int join_field(PyObject *dict, PyObject *key, PyObject *old, PyObject *value)
{
	PyObject *joined = PyUnicode_FromFormat("%U,%U", old, value);
	const int result = joined != NULL ? PyDict_SetItem(dict, key, joined) : -1;

	Py_XDECREF(joined);
	return result;
}

static int put_field(PyObject *dict, const struct http_field *field)
{
	PyObject *key = get_field_key(field), *value = py_latin1(field->value), *present;
	int result = -1;

	if (key != NULL && value != NULL) {
		present = PyDict_SetDefault(dict, key, value);
		if (LIKELY(present == value))
			result = 0;
		else if (present != NULL)
			result = join_field(dict, key, present, value);
	}
	Py_XDECREF(key);
	Py_XDECREF(value);
	return result;
}

PyObject *environ_new(const struct environ_kit *kit, const struct http_request *request, const struct environ_facts *facts)
{
	PyObject *dict = PyDict_Copy(kit->base);
	const struct span script_name = get_script_name(kit, facts);
	const struct span path = span_of(request->path.at + script_name.len, request->path.len - script_name.len);
	int result;

	if (dict == NULL)
		return NULL;
	result = put_method(dict, request->method);
	result |= put_text(dict, KEY_RAW_URI, request->target);
	result |= put_protocol(dict, request);
	result |= put_path(dict, path);
	if (script_name.len > 0)
		result |= put_text(dict, KEY_SCRIPT_NAME, script_name);
	if (request->query.len > 0)
		result |= put_text(dict, KEY_QUERY_STRING, request->query);
	result |= put_peers(dict, kit, request, facts);
	result |= PyDict_SetItem(dict, texts.keys[KEY_INPUT], facts->input);
	result |= PyDict_SetItem(dict, texts.keys[KEY_EARLY_HINTS], facts->early_hints);
	if (facts->socket != NULL)
		result |= PyDict_SetItem(dict, texts.keys[KEY_SOCKET], facts->socket);
	if (facts->is_https)
		result |= PyDict_SetItem(dict, texts.keys[KEY_SCHEME], texts.https);
	for (size_t i = 0; result == 0 && i < request->field_count; i++)
		result |= put_field(dict, &request->fields[i]);
	if (result != 0)
		Py_CLEAR(dict);
	return dict;
}
