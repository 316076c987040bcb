/* SPDX-License-Identifier: MIT */
/*
 * warmup.c - what gunwale/warmup.py needs from C: the environ of a request that no client sent, and who a socket talks to.
 *
 * Called by module.c, in the template and in workers, before anything is served. Must not touch the sockets it looks at.
 */
#include "base/base.h"

#include "py/warmup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "py/early_hints.h"
#include "py/environ.h"
#include "py/filewrapper.h"
#include "py/input.h"

static ssize_t read_nothing(void *context ATTR_UNUSED, char *into ATTR_UNUSED, size_t size ATTR_UNUSED)
{
	return INPUT_END;
}

static ssize_t peek_nothing(void *context ATTR_UNUSED, struct span *ret_bytes ATTR_UNUSED)
{
	return INPUT_END;
}

/* Never ends and never changes: the application may keep its wsgi.input. Nothing else is called after INPUT_END. */
static struct input_source no_body = { .read = read_nothing, .peek = peek_nothing, .fd = -1 };

PyObject *warmup_environ(const struct settings *settings, const char *software)
{
	const struct environ_options options = environ_options_from(settings, software);
	struct environ_kit kit = { .base = NULL };
	PyObject *dict = NULL;

	if (input_setup() < 0 || early_hints_setup() < 0 || filewrapper_setup() < 0 || environ_kit_init(&kit, &options) < 0)
		goto out;
	if (py_dict_put_take(kit.base, "SCRIPT_NAME", py_latin1(span_from_str(kit.script_name))) < 0 ||
	    py_dict_put_take(kit.base, "wsgi.input", input_new(&no_body)) < 0 ||
	    py_dict_put_take(kit.base, "wsgi.early_hints", early_hints_new(NULL)) < 0)
		goto out;
	dict = py_ref(kit.base);
out:
	environ_kit_release(&kit);
	return dict;
}

PyObject *warmup_peer(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
		struct sockaddr_storage storage; /* ends the path: it is longer */
	} address;
	socklen_t len = sizeof(address), type_len = sizeof(int);
	char host[INET6_ADDRSTRLEN] = "";
	int type = 0;

	memset(&address, 0, sizeof(address));
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 || type != SOCK_STREAM ||
	    getpeername(fd, &address.any, &len) < 0)
		Py_RETURN_NONE;
	switch (address.any.sa_family) {
	case AF_INET:
		(void)inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
		return PyUnicode_FromFormat("%s:%d", host, (int)ntohs(address.v4.sin_port));
	case AF_INET6:
		(void)inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
		return PyUnicode_FromFormat("[%s]:%d", host, (int)ntohs(address.v6.sin6_port));
	case AF_UNIX:
		if (address.local.sun_path[0] == '\0')
			return PyUnicode_FromString("a unix socket");
		return PyUnicode_DecodeUTF8(address.local.sun_path, (Py_ssize_t)strlen(address.local.sun_path),
		                            "backslashreplace");
	default:
		return PyUnicode_FromFormat("a socket of family %d", (int)address.any.sa_family);
	}
}
