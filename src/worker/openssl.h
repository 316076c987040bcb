/* SPDX-License-Identifier: MIT */
/*
 * openssl.h - the functions of OpenSSL that we call, looked up when TLS is asked for and not before.
 *
 * The program is not linked with libssl: that would put its symbols in front of those of every library that an application
 * loads, and wheels (psycopg2 and others) bring OpenSSLs of their own. Loaded privately, after Python's _ssl, it is the very
 * library that Python uses.
 */
#ifndef WORKER_OPENSSL_H
#define WORKER_OPENSSL_H

#include "base/base.h"
#include "base/err.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

/* clang-format off */
#define OPENSSL_FUNCTIONS(F) \
	F(BIO_clear_flags) F(BIO_free) F(BIO_get_data) F(BIO_meth_free) F(BIO_meth_new) F(BIO_meth_set_ctrl) \
	F(BIO_meth_set_read) F(BIO_meth_set_write) F(BIO_new) F(BIO_set_data) F(BIO_set_flags) F(BIO_set_init) \
	F(CRYPTO_free) F(ERR_clear_error) F(ERR_peek_error) F(ERR_peek_last_error) F(ERR_reason_error_string) \
	F(i2d_X509) F(OpenSSL_version) F(SSL_CIPHER_get_bits) F(SSL_CIPHER_get_name) F(SSL_CIPHER_get_version) \
	F(SSL_ctrl) F(SSL_CTX_check_private_key) F(SSL_CTX_ctrl) F(SSL_CTX_free) F(SSL_CTX_load_verify_locations) \
	F(SSL_CTX_new) F(SSL_CTX_set_alpn_select_cb) F(SSL_CTX_set_cipher_list) F(SSL_CTX_set_default_passwd_cb) \
	F(SSL_CTX_set_options) F(SSL_CTX_set_session_id_context) F(SSL_CTX_set_verify) F(SSL_CTX_up_ref) \
	F(SSL_CTX_use_certificate_chain_file) F(SSL_CTX_use_PrivateKey_file) F(SSL_do_handshake) F(SSL_free) \
	F(SSL_get0_alpn_selected) F(SSL_get0_peer_certificate) F(SSL_get_current_cipher) F(SSL_get_error) \
	F(SSL_get_verify_result) F(SSL_get_version) F(SSL_has_pending) F(SSL_new) F(SSL_read) F(SSL_select_next_proto) \
	F(SSL_set_accept_state) F(SSL_set_bio) F(SSL_set_options) F(SSL_set_read_ahead) F(SSL_shutdown) F(SSL_write) \
	F(TLS_server_method) F(X509_verify_cert_error_string)

struct openssl {
#define FIELD(name) __typeof__(&name) name;
	OPENSSL_FUNCTIONS(FIELD)
#undef FIELD
};
/* clang-format on */

/* What linking would have filled in; one for the process, as OpenSSL's callbacks bring no pointer of ours along. */
extern struct openssl openssl;

/*
 * Fills in the table. GIL held; Python's _ssl gets imported. The library stays for good. 0, or a negative errno with a
 * sentence.
 */
int openssl_load(struct err *err);
/*
 * GIL held. Whether Python's _ssl uses the very same library, so that its objects can be ours. False with a sentence.
 */
bool openssl_is_pythons(struct err *err);

#endif
