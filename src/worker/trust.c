/* SPDX-License-Identifier: MIT */
/*
 * trust.c - which peers are proxies of ours, and what they may say about a request.
 *
 * Called by conn.c once for a connection, by request.c once for each request. Sends nothing, logs nothing.
 */
#include "base/base.h"

#include "worker/trust.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "py/py.h"

/* The settings were checked: what does not parse here trusts nobody. */
static void add_net(struct trust *trust, const char *text)
{
	struct trust_net net = { .family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET };
	const char *slash = strchr(text, '/');
	char *address = slash != NULL ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
	uint64_t bits = net.family == AF_INET6 ? 128 : 32;

	if (strcmp(text, "*") == 0) {
		trust->trusts_all = true;
	} else if (inet_pton(net.family, address, net.address) == 1 &&
	           (slash == NULL || (span_to_u64(span_from_str(slash + 1), &bits) && bits <= 128))) {
		net.prefix_bits = (unsigned)bits;
		trust->nets = xrealloc(trust->nets, (trust->net_count + 1) * sizeof(*trust->nets));
		trust->nets[trust->net_count++] = net;
	}
	free(address);
}

static int read_schemes(struct trust *trust, const char *json)
{
	PyObject *module = PyImport_ImportModule("json"), *dict = NULL, *name, *value;
	Py_ssize_t at = 0;
	int result = -1;

	if (module != NULL)
		dict = PyObject_CallMethod(module, "loads", "s", json);
	if (dict == NULL)
		goto out;
	result = 0;
	while (PyDict_Check(dict) && PyDict_Next(dict, &at, &name, &value)) {
		struct span name_text, value_text;
		struct trust_scheme *scheme;

		if (!py_latin1_span(name, &name_text) || !py_latin1_span(value, &value_text))
			continue;
		trust->schemes = xrealloc(trust->schemes, (trust->scheme_count + 1) * sizeof(*trust->schemes));
		scheme = &trust->schemes[trust->scheme_count++];
		*scheme = (struct trust_scheme){ .name = span_dup(name_text), .value = span_dup(value_text) };
	}
out:
	Py_XDECREF(dict);
	Py_XDECREF(module);
	return result;
}

void trust_init_peers(struct trust *trust, const struct strlist *addresses)
{
	*trust = (struct trust){ .trusts_all = false };
	for (size_t i = 0; i < addresses->count; i++)
		add_net(trust, addresses->items[i]);
}

int trust_init(struct trust *trust, const struct settings *settings)
{
	trust_init_peers(trust, &settings->forwarded_allow_ips);
	trust->forwarder_headers = &settings->forwarder_headers;
	return settings->secure_scheme_headers != NULL ? read_schemes(trust, settings->secure_scheme_headers) : 0;
}

void trust_release(struct trust *trust)
{
	for (size_t i = 0; i < trust->scheme_count; i++) {
		free(trust->schemes[i].name);
		free(trust->schemes[i].value);
	}
	free(trust->schemes);
	free(trust->nets);
	*trust = (struct trust){ .trusts_all = false };
}

static bool has_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;
	const uint8_t mask = (uint8_t)(0xFF00u >> rest);

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] & mask) == (b[whole] & mask));
}

static bool has_address(const struct trust *trust, int family, const uint8_t *address)
{
	for (size_t i = 0; i < trust->net_count; i++)
		if (trust->nets[i].family == family &&
		    has_prefix(trust->nets[i].address, address, trust->nets[i].prefix_bits))
			return true;
	return false;
}

bool trust_has_peer(const struct trust *trust, const struct sockaddr *address)
{
	if (trust->trusts_all || address->sa_family == AF_UNIX)
		return true;
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		return has_address(trust, AF_INET, (const uint8_t *)&v4->sin_addr);
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;

		return has_address(trust, AF_INET6, v6->sin6_addr.s6_addr);
	}
	return false;
}

static bool is_forwarder_header(const struct trust *trust, struct span name)
{
	for (size_t i = 0; i < trust->forwarder_headers->count; i++) {
		const char *word = trust->forwarder_headers->items[i];

		if (strcmp(word, "*") == 0 || span_equals_nocase(name, span_from_str(word)))
			return true;
	}
	return false;
}

/* gunicorn: the value must match to the letter for https; any other value says http; two that disagree are an attack. */
static void note_scheme(const struct trust *trust, const struct http_field *field, bool *has_scheme,
                        struct trust_verdict *verdict)
{
	for (size_t i = 0; i < trust->scheme_count; i++) {
		bool is_https;

		if (!span_equals_nocase(field->name, span_from_str(trust->schemes[i].name)))
			continue;
		is_https = span_equals(field->value, span_from_str(trust->schemes[i].value));
		if (*has_scheme && is_https != verdict->is_https)
			verdict->contradicts = true;
		*has_scheme = true;
		verdict->is_https = is_https;
	}
}

enum http_result trust_apply(const struct trust *trust, const struct http_policy *policy, bool is_trusted,
                             struct http_request *request, bool is_https, struct trust_verdict *ret_verdict)
{
	size_t kept = 0;
	bool has_scheme = false;

	*ret_verdict = (struct trust_verdict){ .is_https = is_https };
	for (size_t i = 0; i < request->field_count; i++) {
		const struct http_field *field = &request->fields[i];
		enum http_field_fate fate = http_policy_field(policy, field->name);

		if (fate != HTTP_FIELD_KEEP && is_trusted && is_forwarder_header(trust, field->name))
			fate = HTTP_FIELD_KEEP;
		if (fate == HTTP_FIELD_REFUSE) {
			request->culprit = field->name;
			return HTTP_BAD_HEADER_NAME;
		}
		if (fate == HTTP_FIELD_DROP)
			continue;
		if (is_trusted && field->id != HTTP_FIELD_HOST) {
			note_scheme(trust, field, &has_scheme, ret_verdict);
			if (span_equals_nocase(field->name, SPAN_LIT("SCRIPT_NAME")))
				ret_verdict->script_name = field->value;
		}
		if (kept != i)
			request->fields[kept] = *field;
		kept++;
	}
	request->field_count = kept;
	return HTTP_DONE;
}
