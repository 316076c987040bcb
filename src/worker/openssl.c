/* SPDX-License-Identifier: MIT */
/*
 * openssl.c - find libssl at run time.
 *
 * Called by tlscontext.c, once in a template that serves TLS. Does nothing but look up.
 */
#include "base/base.h"

#include "worker/openssl.h"

#include <dlfcn.h>

#include "py/py.h"

#define NAME_OF(major) NAME_OF_TEXT(major)
#define NAME_OF_TEXT(major) "libssl.so." #major

struct openssl openssl;

static void *open_library(void)
{
	/* Python's own comes first: one library of that name can be in a process. */
	PyObject *module = PyImport_ImportModule("_ssl");

	PyErr_Clear();
	Py_XDECREF(module);
	return dlopen(NAME_OF(OPENSSL_SHLIB_VERSION), RTLD_NOW | RTLD_LOCAL);
}

int openssl_load(struct err *err)
{
	void *library = open_library();
	const struct {
		const char *name;
		void *field;
	} functions[] = {
#define ROW(name) { #name, &openssl.name },
		OPENSSL_FUNCTIONS(ROW)
#undef ROW
	};

	if (library == NULL)
		return err_set(err, -ENOENT, "TLS needs %s, which cannot be loaded: %s", NAME_OF(OPENSSL_SHLIB_VERSION),
		               dlerror());
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return err_set(err, -ENOENT, "TLS needs OpenSSL 3, and %s has no %s", NAME_OF(OPENSSL_SHLIB_VERSION),
			               functions[i].name);
		/* ISO C has no conversion from an object's pointer to a function's; POSIX demands the same shape. */
		memcpy(functions[i].field, &function, sizeof(function));
	}
	return 0;
}

bool openssl_is_pythons(struct err *err)
{
	PyObject *module = PyImport_ImportModule("_ssl"), *file = NULL;
	const char *path = NULL;
	void *library, *function = NULL;

	if (module != NULL)
		file = PyObject_GetAttrString(module, "__file__");
	if (file != NULL)
		path = PyUnicode_AsUTF8(file);
	/* A module that is a part of the interpreter has no file: the interpreter's symbols are everybody's. */
	library = dlopen(path, RTLD_NOW | RTLD_NOLOAD | RTLD_LOCAL);
	if (library != NULL)
		function = dlsym(library, "SSL_CTX_new");
	if (library != NULL)
		(void)dlclose(library);
	PyErr_Clear();
	Py_XDECREF(file);
	Py_XDECREF(module);
	if (function != NULL && memcmp(&function, &openssl.SSL_CTX_new, sizeof(function)) == 0)
		return true;
	(void)err_set(err, -ENOTSUP, "ssl_context: Python's ssl module uses another OpenSSL than this server (%s)",
	              openssl.OpenSSL_version(OPENSSL_VERSION));
	return false;
}
