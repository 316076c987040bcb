/* SPDX-License-Identifier: MIT */
/*
 * tls.c - one connection through OpenSSL.
 *
 * Called by wire.c and opening.c. OpenSSL reads from the socket when it must, but writes into a buffer of ours, which is sent
 * after: so a write never stops half way, and a record is never encrypted for bytes that somebody changes his mind about.
 */
#include "base/base.h"

#include "worker/tls.h"

#include <sys/socket.h>

#include "base/buf.h"
#include "base/check.h"
#include "worker/tls_internal.h"

enum {
	RECORD_BYTES = 16384,   /* RFC 8446 5.1: the plain text of one record */
	SEND_AT_BYTES = 65536,  /* so much is encrypted before it is sent */
	UNSENT_MAX = 256 << 10, /* a client that asks for answers (key updates) and reads none */
	KEEP_BYTES = 4096,      /* memory that an idle connection may keep */
	GIL_BYTES = 64 << 10,   /* encrypting more than this is worth letting other threads run */
};

struct tls {
	const struct tls_context *context;
	SSL *ssl;
	int fd;
	struct buf out; /* encrypted */
	size_t out_at;  /* sent of it */
	bool is_busy;   /* a thread is inside without the GIL */
	bool is_broken; /* nothing may be asked of OpenSSL any more */
	bool has_shaken;
	bool is_emptied;
	bool has_end; /* the kernel said that nothing more comes */
	bool met_plain_http;
	int fd_error; /* errno of the kernel's last final answer; 0: none */
	char fault[160];
};

/* ---- between OpenSSL and the socket -------------------------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *into, int size)
{
	struct tls *tls = openssl.BIO_get_data(bio);
	ssize_t count;

	do {
		count = recv(tls->fd, into, (size_t)size, 0);
	} while (count < 0 && errno == EINTR);
	openssl.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	tls->is_emptied = count < size;
	if (count == 0)
		tls->has_end = true;
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		openssl.BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
	else if (count < 0)
		tls->fd_error = errno;
	return (int)count;
}

static int bio_write(BIO *bio, const char *from, int size)
{
	struct tls *tls = openssl.BIO_get_data(bio);

	openssl.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	if (tls->out.len - tls->out_at > UNSENT_MAX || buf_try_reserve(&tls->out, (size_t)size) < 0) {
		tls->fd_error = ENOBUFS;
		return -1;
	}
	buf_add(&tls->out, from, (size_t)size);
	return size;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return ((struct tls *)openssl.BIO_get_data(bio))->has_end;
	default:
		return 0;
	}
}

BIO_METHOD *tls_new_bio_method(void)
{
	BIO_METHOD *method = openssl.BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "client");

	if (method != NULL && openssl.BIO_meth_set_read(method, bio_read) == 1 &&
	    openssl.BIO_meth_set_write(method, bio_write) == 1 && openssl.BIO_meth_set_ctrl(method, bio_control) == 1)
		return method;
	openssl.BIO_meth_free(method);
	return NULL;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

struct tls *tls_new(const struct tls_context *context, int fd)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));
	BIO *bio = openssl.BIO_new(context->bio_method);
	uint64_t options = SSL_OP_NO_RENEGOTIATION;

	*tls = (struct tls){ .context = context, .fd = fd, .ssl = openssl.SSL_new(context->ctx) };
	if (tls->ssl == NULL || bio == NULL) {
		openssl.BIO_free(bio);
		openssl.ERR_clear_error();
		tls_free(tls);
		return NULL;
	}
	openssl.BIO_set_data(bio, tls);
	openssl.BIO_set_init(bio, 1);
	openssl.SSL_set_bio(tls->ssl, bio, bio);
	openssl.SSL_set_accept_state(tls->ssl);
	openssl.SSL_set_read_ahead(tls->ssl, 1);
	if (context->suppresses_ragged_ends)
		options |= SSL_OP_IGNORE_UNEXPECTED_EOF;
	(void)openssl.SSL_set_options(tls->ssl, options);
	(void)openssl.SSL_ctrl(tls->ssl, SSL_CTRL_MODE,
	                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, NULL);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	CHECK(!tls->is_busy);
	openssl.SSL_free(tls->ssl);
	buf_release(&tls->out);
	free(tls);
}

const SSL *tls_get_ssl(const struct tls *tls)
{
	return tls->ssl;
}

/* ---- what went wrong ----------------------------------------------------------------------------------------------------- */

static void note_fault(struct tls *tls)
{
	const unsigned long code = openssl.ERR_peek_error();
	const char *reason = code != 0 ? openssl.ERR_reason_error_string(code) : NULL;
	const long verdict = openssl.SSL_get_verify_result(tls->ssl);

	if (reason == NULL && tls->fd_error != 0)
		reason = strerror(tls->fd_error);
	if (reason == NULL)
		reason = "the client went away";
	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
		(void)snprintf(tls->fault, sizeof(tls->fault), "%s: %s", reason,
		               openssl.X509_verify_cert_error_string(verdict));
	else
		(void)snprintf(tls->fault, sizeof(tls->fault), "%s", reason);
	tls->met_plain_http = !tls->has_shaken && ERR_GET_LIB(code) == ERR_LIB_SSL &&
	                      ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
}

/* What a call that gave `result` (0 or less) means: 0 for the end, or -errno. The error queue is empty afterwards. */
static int judge(struct tls *tls, int result)
{
	switch (openssl.SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	default:
		note_fault(tls);
		openssl.ERR_clear_error();
		tls->is_broken = true;
		return tls->fd_error != 0 ? -tls->fd_error : -EPROTO;
	}
}

const char *tls_fault(const struct tls *tls)
{
	return tls->fault;
}

bool tls_met_plain_http(const struct tls *tls)
{
	return tls->met_plain_http;
}

/* ---- sending what is encrypted ------------------------------------------------------------------------------------------- */

bool tls_has_unsent(const struct tls *tls)
{
	return tls->out.len > tls->out_at;
}

/* Until the kernel says no: only then it tells when there is room again. */
static int send_out(struct tls *tls)
{
	while (tls_has_unsent(tls)) {
		const ssize_t sent =
			send(tls->fd, tls->out.data + tls->out_at, tls->out.len - tls->out_at, MSG_NOSIGNAL);

		if (sent >= 0)
			tls->out_at += (size_t)sent;
		else if (errno != EINTR)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	}
	tls->out_at = 0;
	if (tls->out.cap > KEEP_BYTES)
		buf_release(&tls->out);
	buf_clear(&tls->out);
	return 0;
}

bool tls_is_busy(const struct tls *tls)
{
	return tls->is_busy;
}

int tls_flush(struct tls *tls)
{
	return tls->is_busy ? -EAGAIN : send_out(tls);
}

/* ---- handshake ----------------------------------------------------------------------------------------------------------- */

int tls_shake(struct tls *tls)
{
	int result, code, sent;

	if (tls->is_busy)
		return -EAGAIN;
	tls->is_busy = true;
	/* A signature of RSA takes a millisecond. */
	Py_BEGIN_ALLOW_THREADS
	openssl.ERR_clear_error();
	result = openssl.SSL_do_handshake(tls->ssl);
	code = result == 1 ? 0 : judge(tls, result);
	sent = send_out(tls);
	Py_END_ALLOW_THREADS
	tls->is_busy = false;
	if (result == 1) {
		tls->has_shaken = true;
		return sent == -EAGAIN ? 0 : sent;
	}
	/* A farewell instead of a handshake. */
	return code == 0 ? -ECONNRESET : code;
}

/* ---- receiving ----------------------------------------------------------------------------------------------------------- */

bool tls_has_pending(const struct tls *tls)
{
	return openssl.SSL_has_pending(tls->ssl) == 1;
}

bool tls_is_emptied(const struct tls *tls)
{
	return tls->is_emptied && !tls_has_pending(tls);
}

ssize_t tls_receive(struct tls *tls, void *into, size_t size)
{
	int count;

	if (tls->is_busy)
		return -EAGAIN;
	if (tls->is_broken)
		return -EPROTO;
	openssl.ERR_clear_error();
	count = openssl.SSL_read(tls->ssl, into, (int)MIN(size, (size_t)INT_MAX));
	if (count <= 0)
		count = judge(tls, count);
	/* Alerts, answers to key updates, and what found no room before. */
	if (tls_has_unsent(tls))
		(void)send_out(tls);
	return count;
}

/* ---- encrypting ---------------------------------------------------------------------------------------------------------- */

/* The next record's bytes, `done` bytes into the parts: in place, or gathered when the part is too short for a record. */
static struct span next_piece(const struct iovec *parts, size_t part_count, size_t done, char *gathered)
{
	size_t len = 0;

	for (size_t i = 0; i < part_count && len < RECORD_BYTES; i++) {
		const char *at = parts[i].iov_base;
		size_t size = parts[i].iov_len;

		if (done >= size) {
			done -= size;
			continue;
		}
		at += done;
		size -= done;
		done = 0;
		if (len == 0 && (size >= RECORD_BYTES || i + 1 == part_count))
			return span_of(at, MIN(size, (size_t)RECORD_BYTES));
		size = MIN(size, RECORD_BYTES - len);
		memcpy(gathered + len, at, size);
		len += size;
	}
	return span_of(gathered, len);
}

/* 0: the piece is encrypted, and sent when there is much; -EAGAIN: encrypted, and the kernel takes no more; other -errno. */
static int put_record(struct tls *tls, struct span piece)
{
	/* A client may have asked for shorter records (RFC 6066 4). */
	while (piece.len > 0) {
		const int count = openssl.SSL_write(tls->ssl, piece.at, (int)piece.len);

		if (count <= 0) {
			const int code = judge(tls, count);

			/* It waits for nothing but us: a write that wants to read does not occur without renegotiation. */
			tls->is_broken = true;
			return code == -EAGAIN || code == 0 ? -EPROTO : code;
		}
		piece = span_of(piece.at + count, piece.len - (size_t)count);
	}
	return tls->out.len - tls->out_at >= SEND_AT_BYTES ? send_out(tls) : 0;
}

static ssize_t put_parts(struct tls *tls, const struct iovec *parts, size_t part_count)
{
	char gathered[RECORD_BYTES];
	size_t done = 0;
	int code = 0;

	while (code == 0) {
		const struct span piece = next_piece(parts, part_count, done, gathered);

		if (piece.len == 0)
			break;
		code = put_record(tls, piece);
		if (code == 0 || code == -EAGAIN)
			done += piece.len;
	}
	if (code == 0)
		code = send_out(tls);
	return code < 0 && code != -EAGAIN ? code : (ssize_t)done;
}

static int begin_sending(struct tls *tls)
{
	if (tls->is_busy)
		return -EAGAIN;
	if (tls->is_broken)
		return -EPROTO;
	openssl.ERR_clear_error();
	return send_out(tls);
}

ssize_t tls_send(struct tls *tls, const struct iovec *parts, size_t part_count, bool keeps_lock)
{
	const int code = begin_sending(tls);
	size_t size = 0;
	ssize_t sent;

	if (code < 0)
		return code;
	for (size_t i = 0; i < part_count; i++)
		size += parts[i].iov_len;
	if (keeps_lock || size < GIL_BYTES)
		return put_parts(tls, parts, part_count);
	tls->is_busy = true;
	Py_BEGIN_ALLOW_THREADS
	sent = put_parts(tls, parts, part_count);
	Py_END_ALLOW_THREADS
	tls->is_busy = false;
	return sent;
}

static ssize_t put_file(struct tls *tls, int file_fd, off_t *at, size_t size)
{
	char piece[RECORD_BYTES];
	size_t done = 0;
	int code = 0;

	while (code == 0 && done < size) {
		const ssize_t count = pread(file_fd, piece, MIN(size - done, sizeof(piece)), *at);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			code = -errno;
		if (count <= 0)
			break;
		code = put_record(tls, span_of(piece, (size_t)count));
		if (code < 0 && code != -EAGAIN)
			break;
		done += (size_t)count;
		*at += count;
	}
	if (code == 0)
		code = send_out(tls);
	return code < 0 && code != -EAGAIN ? code : (ssize_t)done;
}

ssize_t tls_send_file(struct tls *tls, int file_fd, off_t *at, size_t size)
{
	const int code = begin_sending(tls);
	ssize_t sent;

	if (code < 0)
		return code;
	tls->is_busy = true;
	Py_BEGIN_ALLOW_THREADS
	sent = put_file(tls, file_fd, at, size);
	Py_END_ALLOW_THREADS
	tls->is_busy = false;
	return sent;
}

void tls_end(struct tls *tls)
{
	if (tls->is_busy || tls->is_broken || !tls->has_shaken)
		return;
	openssl.ERR_clear_error();
	(void)openssl.SSL_shutdown(tls->ssl);
	openssl.ERR_clear_error();
	(void)send_out(tls);
}
