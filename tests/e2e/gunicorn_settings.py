# SPDX-License-Identifier: MIT
"""What gunicorn's settings are: name, flags, kind of values, class of a replacement, default. Data of tests, no test.

Classes: `must` and `should` work, `silent` may have no effect and say nothing, `named` say in one line what is missing.
Kinds are the keys of KINDS. The default is as --print-config shows it; `*` where it is not gunicorn's, `-` for a hook.
"""

TABLE = """
config -c,--config text must ./gunicorn.conf.py
wsgi_app - text must None
bind -b,--bind list must ['127.0.0.1:8000']
backlog --backlog int must 2048
workers -w,--workers int must 1
worker_class -k,--worker-class class must sync
threads --threads int must 1
worker_connections --worker-connections int must 1000
max_requests --max-requests int must 0
max_requests_jitter --max-requests-jitter int must 0
timeout -t,--timeout int must 30
graceful_timeout --graceful-timeout int must 30
keepalive --keep-alive int must 2
limit_request_line --limit-request-line int must 4094
limit_request_fields --limit-request-fields int must 100
limit_request_field_size --limit-request-field_size int must 8190
reload --reload bool must False
reload_engine --reload-engine enum should auto
reload_extra_files --reload-extra-file files should []
spew --spew bool silent False
check_config --check-config bool must False
print_config --print-config bool must False
preload_app --preload bool must False
sendfile --no-sendfile bool must None
reuse_port --reuse-port bool should False
chdir --chdir dir must .
daemon -D,--daemon bool must False
raw_env -e,--env list must []
pidfile -p,--pid text must None
worker_tmp_dir --worker-tmp-dir text must None
user -u,--user user must uid
group -g,--group group must gid
umask -m,--umask int must 0
initgroups --initgroups bool should False
tmp_upload_dir - text silent None
secure_scheme_headers - dict must {'X-FORWARDED-PROTOCOL': 'ssl', 'X-FORWARDED-PROTO': 'https', 'X-FORWARDED-SSL': 'on'}
forwarded_allow_ips --forwarded-allow-ips nets must ['127.0.0.1', '::1']
accesslog --access-logfile text must None
disable_redirect_access_to_syslog --disable-redirect-access-to-syslog bool should False
access_log_format --access-logformat text must %(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"
errorlog --error-logfile,--log-file text must -
loglevel --log-level text must info
capture_output --capture-output bool must False
logger_class --logger-class class must gunicorn.glogging.Logger
logconfig --log-config text must None
logconfig_dict - dict must {}
logconfig_json --log-config-json text must None
syslog_addr --log-syslog-to text should udp://localhost:514
syslog --log-syslog bool should False
syslog_prefix --log-syslog-prefix text should None
syslog_facility --log-syslog-facility text should user
enable_stdio_inheritance -R,--enable-stdio-inheritance bool should False
statsd_host --statsd-host statsd should None
dogstatsd_tags --dogstatsd-tags text should 
statsd_prefix --statsd-prefix text should 
enable_backlog_metric --enable-backlog-metric bool should False
proc_name -n,--name text must None
default_proc_name - text must *
pythonpath --pythonpath text must None
paste --paste,--paster text named None
on_starting - hook1 must -
on_reload - hook1 must -
when_ready - hook1 must -
pre_fork - hook2 must -
post_fork - hook2 must -
post_worker_init - hook1 must -
worker_int - hook1 must -
worker_abort - hook1 must -
pre_exec - hook1 should -
pre_request - hook2 must -
post_request - post must -
child_exit - hook2 must -
worker_exit - hook2 must -
nworkers_changed - hook3 must -
on_exit - hook1 must -
ssl_context - hook2 should -
proxy_protocol --proxy-protocol proxy should off
proxy_allow_ips --proxy-allow-from nets should ['127.0.0.1', '::1']
protocol --protocol text named http
uwsgi_allow_ips --uwsgi-allow-from nets silent ['127.0.0.1', '::1']
keyfile --keyfile text should None
certfile --certfile text should None
ssl_version --ssl-version any silent 2
cert_reqs --cert-reqs int should 0
ca_certs --ca-certs text should None
suppress_ragged_eofs --suppress-ragged-eofs bool should True
do_handshake_on_connect --do-handshake-on-connect bool should False
ciphers --ciphers text should None
http_protocols --http-protocols protocols named ['h1']
http2_cleartext --http2-cleartext cleartext named off
http2_max_concurrent_streams --http2-max-concurrent-streams int silent 100
http2_initial_window_size --http2-initial-window-size int silent 65535
http2_max_frame_size --http2-max-frame-size frame silent 16384
http2_max_header_list_size --http2-max-header-list-size int silent 65536
raw_paste_global_conf --paste-global list named []
permit_obsolete_folding --permit-obsolete-folding bool should False
strip_header_spaces --strip-header-spaces bool should False
permit_unconventional_http_method --permit-unconventional-http-method bool should False
permit_unconventional_http_version --permit-unconventional-http-version bool should False
casefold_http_method --casefold-http-method bool should False
forwarder_headers --forwarder-headers words must ['SCRIPT_NAME', 'PATH_INFO']
header_map --header-map map must drop
asgi_loop --asgi-loop enum silent auto
asgi_lifespan --asgi-lifespan enum silent auto
asgi_disconnect_grace_period --asgi-disconnect-grace-period int silent 3
http_parser --http-parser enum silent auto
root_path --root-path text silent 
dirty_apps --dirty-app list named []
dirty_workers --dirty-workers int named 0
dirty_timeout --dirty-timeout int silent 300
dirty_threads --dirty-threads int silent 1
dirty_graceful_timeout --dirty-graceful-timeout int silent 30
on_dirty_starting - hook1 silent -
dirty_post_fork - hook2 silent -
dirty_worker_init - hook1 silent -
dirty_worker_exit - hook2 silent -
control_socket --control-socket text should *
control_socket_mode --control-socket-mode int should 384
control_socket_disable --no-control-socket bool should False
"""


class Row:
    def __init__(self, line):
        self.name, flags, self.kind, self.wanted, default = line.split(" ", 4)
        self.flags = [] if flags == "-" else flags.split(",")
        self.default = default
        self.is_hook = self.kind.startswith("hook") or self.kind == "post"

    def __repr__(self):
        return self.name


ROWS = [Row(line) for line in TABLE.strip("\n").split("\n")]
BY_NAME = {row.name: row for row in ROWS}

# Kind: values of a configuration file with what --print-config shows for them, and values that are refused.
# The last word of an enumeration and such stand in WORDS, by name.
KINDS = {
    "int": ([("3", "3"), ("'0x10'", "16"), ("True", "1")], ["None", "0.5", "-1", "'x'"]),
    "bool": ([("True", "True"), ("' FALSE '", "False"), ("'true'", "True")], ["1", "'yes'"]),
    "text": ([("' a '", "a"), ("None", "None")], ["3", "[]"]),
    "dict": ([("{'A': 'b'}", "{'A': 'b'}")], ["None", "[]"]),
    "list": ([("['a=1', ' b=2 ']", "['a=1', 'b=2']"), ("'c=3'", "['c=3']"), ("('d=4',)", "['d=4']"), ("None", "[]")], ["[3]", "3"]),
    "files": ([("[__file__]", None), ("[]", "[]")], ["['/no/such/file']", "[3]"]),
    "nets": (
        [("'10.0.0.0/8, ::1'", "['10.0.0.0/8', '::1']"), ("'*'", "['*']"), ("None", "[]"), ("''", "[]")],
        ["['*']", "'10.0.0.1/8'", "'x'"],
    ),
    "words": ([("'A, B'", "['A', 'B']"), ("None", "[]")], ["['A']", "3"]),
    "enum": ([], ["'nonsense'"]),
    "map": ([("'REFUSE'", "refuse"), ("'dangerous'", "dangerous")], ["'nonsense'", "3"]),
    "protocols": ([("'h1'", "['h1']"), ("None", "['h1']")], ["'h9'", "'h1,h1'"]),
    "cleartext": ([("False", "off"), ("None", "off"), ("'OFF'", "off")], ["'x'"]),
    "proxy": ([("False", "off"), ("None", "off"), ("'0'", "off"), ("True", "auto"), ("'V1'", "v1"), ("'v2'", "v2")], ["'v9'"]),
    "frame": ([("20000", "20000"), ("'0x5000'", "20480")], ["5", "16777216", "None"]),
    "statsd": ([("None", "None"), ("'localhost:9'", None), ("'unix:///run/statsd'", None)], ["3"]),
    "class": ([], ["3"]),
    "dir": ([("'.'", None), ("'/'", "/")], ["'/no/such/folder'", "3"]),
    "user": ([("None", None), ("0", "0"), ("'0'", "0"), ("'root'", "0")], ["'no-such-user'"]),
    "group": ([("None", None), ("0", "0"), ("'0'", "0"), ("'root'", "0")], ["'no-such-group'"]),
    "any": ([("5", "5")], []),
    "hook1": ([("lambda a: 0", "<<lambda>()>")], ["lambda: 0", "lambda a, b=1: 0", "3", "'no.such.thing'", "lambda *a: 0"]),
    "hook2": ([("lambda a, b: 0", "<<lambda>()>")], ["lambda a: 0", "3", "'no.such.thing'"]),
    "hook3": ([("lambda a, b, c: 0", "<<lambda>()>")], ["lambda a: 0", "3"]),
    "post": (
        [("lambda a, b: 0", "<"), ("lambda a, b, c: 0", "<"), ("lambda a, b, c, d: 0", "<")],
        ["lambda a: 0", "3", "lambda a, b, c, d, e: 0"],
    ),
}
WORDS = {
    "reload_engine": [("'poll'", "poll")],
    "asgi_loop": [("'asyncio'", "asyncio"), ("'uvloop'", "uvloop")],
    "asgi_lifespan": [("'on'", "on"), ("'off'", "off")],
    "http_parser": [("'fast'", "fast"), ("'python'", "python")],
    "worker_class": [("'sync'", "sync"), ("'gunicorn.workers.sync.SyncWorker'", "gunicorn.workers.sync.SyncWorker")],
    "logger_class": [("'gunicorn.glogging.Logger'", "gunicorn.glogging.Logger")],
    # These are looked at by --check-config as well: with a certificate everything about TLS must fit (test_tls.py).
    "certfile": [("None", "None")],
    "keyfile": [("None", "None")],
    "ciphers": [("None", "None"), ("'DEFAULT'", "DEFAULT")],
    "print_config": [("True", "True"), ("'false'", "False")],
}


def accepted(row):
    return WORDS.get(row.name) or KINDS[row.kind][0]


def refused(row):
    return KINDS[row.kind][1]


# A value for each kind of flag, and what is shown.
FLAG_VALUES = {
    "int": ("3", "3"),
    "text": ("a", "a"),
    "list": ("a=1", "['a=1']"),
    "nets": ("*", "['*']"),
    "words": ("A,B", "['A', 'B']"),
    "map": ("Refuse", "refuse"),
    "protocols": ("h1", "['h1']"),
    "cleartext": ("off", "off"),
    "proxy": ("v2", "v2"),
    "frame": ("20000", "20000"),
    "statsd": ("localhost:9", None),
    "dir": ("/", "/"),
    "user": ("root", "0"),
    "group": ("root", "0"),
    "any": ("5", None),
    "files": ("gunicorn.conf.py", None),
}
