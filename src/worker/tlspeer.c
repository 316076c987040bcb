/* SPDX-License-Identifier: MIT */
/*
 * tlspeer.c - what an application may know of the encryption: who the client is, and how it speaks.
 *
 * Called when the application looks at gunicorn.socket, by exchange.c. Makes Python objects, changes nothing.
 */
#include "base/base.h"

#include "py/py.h"

#include "worker/tls.h"

#include "worker/tls_internal.h"

static PyObject *get_certificate(const SSL *ssl)
{
	const X509 *certificate = openssl.SSL_get0_peer_certificate(ssl);
	unsigned char *der = NULL;
	PyObject *bytes;
	int size;

	if (certificate == NULL)
		return py_ref(Py_None);
	size = openssl.i2d_X509(certificate, &der);
	if (size < 0)
		return PyErr_NoMemory();
	bytes = PyBytes_FromStringAndSize((const char *)der, size);
	openssl.CRYPTO_free(der, __FILE__, __LINE__);
	return bytes;
}

/* As SSLSocket.cipher(). */
static PyObject *get_cipher(const SSL *ssl)
{
	const SSL_CIPHER *cipher = openssl.SSL_get_current_cipher(ssl);

	if (cipher == NULL)
		return py_ref(Py_None);
	return Py_BuildValue("(ssi)", openssl.SSL_CIPHER_get_name(cipher), openssl.SSL_CIPHER_get_version(cipher),
	                     openssl.SSL_CIPHER_get_bits(cipher, NULL));
}

static PyObject *get_protocol(const SSL *ssl)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	openssl.SSL_get0_alpn_selected(ssl, &name, &len);
	return len > 0 ? PyUnicode_DecodeLatin1((const char *)name, (Py_ssize_t)len, NULL) : py_ref(Py_None);
}

PyObject *tls_describe(const struct tls *tls)
{
	const SSL *ssl = tls_get_ssl(tls);

	/* N takes over, and passes an exception on. */
	return Py_BuildValue("(NsNN)", get_certificate(ssl), openssl.SSL_get_version(ssl), get_cipher(ssl), get_protocol(ssl));
}
