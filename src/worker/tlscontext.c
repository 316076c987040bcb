/* SPDX-License-Identifier: MIT */
/*
 * tlscontext.c - from the settings to a TLS context.
 *
 * Called by template.c, where the key can still be read and Python is at hand for the hook ssl_context. Every refusal is one
 * sentence that names the setting and the file.
 */
#include "base/base.h"

#include "py/py.h"

#include "worker/tls.h"

#include <fcntl.h>

#include "py/boot.h"
#include "worker/tls_internal.h"

#define PROTOCOLS "\x08http/1.1"
/* Of TLS 1.2: forward secrecy and authenticated encryption first, CBC with SHA-2 for old clients. TLS 1.3 has its own. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:!SHA1:!AESCCM:!aNULL:!eNULL:!PSK:!SRP:!aDSS"

enum { CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED }; /* Python's ssl module */

bool tls_is_wanted(const struct settings *settings)
{
	return (settings->certfile != NULL && settings->certfile[0] != '\0') ||
	       (settings->keyfile != NULL && settings->keyfile[0] != '\0');
}

/* OpenSSL's last reason; the first one of a file is often only that it could not be opened in some other way. */
static const char *get_reason(void)
{
	const char *reason = openssl.ERR_reason_error_string(openssl.ERR_peek_error());

	return reason != NULL ? reason : "OpenSSL does not say why";
}

static int refuse(struct err *err, const char *setting, const char *value, const char *what)
{
	(void)err_set(err, -EINVAL, "%s: '%s' %s: %s", setting, value, what, get_reason());
	openssl.ERR_clear_error();
	return -EINVAL;
}

static int check_readable(const char *setting, const char *path, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, -errno, "%s: cannot read '%s'", setting, path);
	(void)close(fd);
	return 0;
}

/* OpenSSL would ask the terminal, which a server may not have. */
static int refuse_password(char *into, int size, int is_writing, void *context)
{
	(void)into;
	(void)size;
	(void)is_writing;
	(void)context;
	return -1;
}

static int load_pair(SSL_CTX *ctx, const struct settings *settings, struct err *err)
{
	const char *certfile = settings->certfile, *keyfile = settings->keyfile;
	const char *key_setting = "keyfile";
	int code;

	if (certfile == NULL || certfile[0] == '\0')
		return err_set(err, -EINVAL, "keyfile: '%s' needs a certificate; set certfile too", keyfile);
	if (keyfile == NULL || keyfile[0] == '\0') {
		keyfile = certfile;
		key_setting = "certfile";
	}
	code = check_readable("certfile", certfile, err);
	if (code == 0)
		code = check_readable(key_setting, keyfile, err);
	if (code < 0)
		return code;
	if (openssl.SSL_CTX_use_certificate_chain_file(ctx, certfile) != 1)
		return refuse(err, "certfile", certfile, "holds no usable certificate");
	openssl.SSL_CTX_set_default_passwd_cb(ctx, refuse_password);
	if (openssl.SSL_CTX_use_PrivateKey_file(ctx, keyfile, SSL_FILETYPE_PEM) != 1)
		return refuse(err, key_setting, keyfile,
		              settings->keyfile != NULL ? "holds no usable private key"
		                                        : "holds no usable private key, and keyfile is not set");
	if (openssl.SSL_CTX_check_private_key(ctx) != 1)
		return refuse(err, key_setting, keyfile, "is not the key of the certificate in certfile");
	return 0;
}

static int set_clients(SSL_CTX *ctx, const struct settings *settings, struct err *err)
{
	static const int modes[] = {
		[CERT_NONE] = SSL_VERIFY_NONE,
		[CERT_OPTIONAL] = SSL_VERIFY_PEER,
		[CERT_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};
	const char *ca_certs = settings->ca_certs;

	if (settings->cert_reqs < 0 || settings->cert_reqs > CERT_REQUIRED)
		return err_set(err, -EINVAL,
		               "cert_reqs: %ld is not 0 (no certificate), 1 (optional) or 2 (required)",
		               settings->cert_reqs);
	openssl.SSL_CTX_set_verify(ctx, modes[settings->cert_reqs], NULL);
	if (ca_certs == NULL || ca_certs[0] == '\0')
		return 0;
	if (check_readable("ca_certs", ca_certs, err) < 0)
		return -ENOENT;
	if (openssl.SSL_CTX_load_verify_locations(ctx, ca_certs, NULL) != 1)
		return refuse(err, "ca_certs", ca_certs, "holds no usable certificate");
	return 0;
}

/* gunicorn: sock.py ssl_context(), the default factory; the base is Python's create_default_context(). */
static SSL_CTX *make_ctx(const struct settings *settings, struct err *err)
{
	const bool has_ciphers = settings->ciphers != NULL && settings->ciphers[0] != '\0';
	const char *ciphers = has_ciphers ? settings->ciphers : CIPHERS;
	SSL_CTX *ctx = openssl.SSL_CTX_new(openssl.TLS_server_method());

	if (ctx == NULL) {
		(void)err_set(err, -ENOMEM, "TLS: OpenSSL cannot make a context: %s", get_reason());
		return NULL;
	}
	(void)openssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	(void)openssl.SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* Tickets need no memory of ours, and a sibling accepts them too: the workers share the key. */
	(void)openssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
	(void)openssl.SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"gunwale", 7);
	if (openssl.SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		(void)refuse(err, "ciphers", ciphers, "is no cipher list with a cipher for TLS 1.2");
	else if (load_pair(ctx, settings, err) == 0 && set_clients(ctx, settings, err) == 0)
		return ctx;
	openssl.SSL_CTX_free(ctx);
	openssl.ERR_clear_error();
	return NULL;
}

/* The first field of CPython's PySSLContext, in all versions that we know (Modules/_ssl.c). */
struct python_context {
	PyObject_HEAD
	SSL_CTX *ctx;
};

/*
 * What the hook ssl_context answers. 0 with *ret_owner NULL: there is no such hook. The Python side has made sure of the
 * type, and that nothing in the context calls back into Python.
 */
static int ask_hook(PyObject **ret_owner, struct err *err)
{
	PyObject *module = NULL;
	char *text = NULL;
	const int code = boot_call_template("make_ssl_context", &text, "()");
	int result = -EINVAL;

	*ret_owner = NULL;
	if (code != -1) {
		(void)err_set(err, -EINVAL, "%s", text);
		goto out;
	}
	module = PyImport_ImportModule("gunwale.tls");
	if (module != NULL)
		*ret_owner = PyObject_GetAttrString(module, "context");
	if (*ret_owner == Py_None)
		Py_CLEAR(*ret_owner);
	else if (*ret_owner == NULL || !openssl_is_pythons(err))
		goto out;
	result = 0;
out:
	PyErr_Clear();
	if (result < 0)
		Py_CLEAR(*ret_owner);
	Py_XDECREF(module);
	free(text);
	return result;
}

static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len, const unsigned char *offered,
                           unsigned offered_len, void *context)
{
	unsigned char *name = NULL;

	(void)ssl;
	(void)context;
	if (openssl.SSL_select_next_proto(&name, ret_len, (const unsigned char *)PROTOCOLS, sizeof(PROTOCOLS) - 1, offered,
	                                  offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

static int fill(struct tls_context *context, const struct settings *settings, struct err *err)
{
	int code = openssl_load(err);

	if (code < 0)
		return code;
	code = ask_hook(&context->owner, err);
	if (code < 0)
		return code;
	if (context->owner != NULL) {
		context->ctx = ((struct python_context *)(void *)context->owner)->ctx;
		(void)openssl.SSL_CTX_up_ref(context->ctx);
	} else {
		context->ctx = make_ctx(settings, err);
	}
	context->bio_method = tls_new_bio_method();
	if (context->ctx == NULL || context->bio_method == NULL)
		return err_set(err, -ENOMEM, "TLS: OpenSSL has no memory");
	/* The only protocol there is, whatever the hook may have offered. */
	openssl.SSL_CTX_set_alpn_select_cb(context->ctx, choose_protocol, NULL);
	context->suppresses_ragged_ends = settings->suppress_ragged_eofs;
	return 0;
}

struct tls_context *tls_context_new(const struct settings *settings, struct err *err)
{
	struct tls_context *context = xcalloc(1, sizeof(*context));

	if (fill(context, settings, err) == 0)
		return context;
	tls_context_free(context);
	return NULL;
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	if (context->ctx != NULL)
		openssl.SSL_CTX_free(context->ctx);
	if (context->bio_method != NULL)
		openssl.BIO_meth_free(context->bio_method);
	Py_XDECREF(context->owner);
	free(context);
}
