# SPDX-License-Identifier: MIT
"""Text of an application that tests write into their folder, again and again with another answer."""

SOURCE = '''
import os
VERSION = {version!r}
def app(environ, start_response):
    body = ("%s %d" % (VERSION, os.getpid())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
'''
