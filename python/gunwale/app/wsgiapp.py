# SPDX-License-Identifier: MIT
"""gunicorn.app.wsgiapp: run() is the command itself; a derived WSGIApplication names its application in app_uri."""

from gunwale.app.base import Application

__all__ = ["WSGIApplication", "run"]


class WSGIApplication(Application):
    app_uri = None

    def load_wsgiapp(self):
        from gunwale import apploader

        return apploader.load(self.app_uri or self.cfg.wsgi_app)

    def load(self):
        return self.load_wsgiapp()


def run(prog=None):
    """The command `gunwale` with the arguments of sys.argv."""
    WSGIApplication(prog=prog).run()


if __name__ == "__main__":
    run()
