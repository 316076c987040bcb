# SPDX-License-Identifier: MIT
"""BaseApplication: gunicorn's recipe for a custom application, an object with options and a load()."""

import sys

from gunwale import launcher

try:
    from gunwale import scripts
except ImportError:  # not in the template
    scripts = None

__all__ = ["Application", "BaseApplication"]


class _Names:
    """cfg.settings: the names that set() takes. Outside of the template the table is not at hand, and every name passes."""

    def __contains__(self, name):
        return scripts is None or name in scripts.names()

    def __iter__(self):
        return iter(scripts.names() if scripts else ())


class Config:
    """self.cfg while load_config() runs: takes settings, which are checked when the server starts."""

    def __init__(self):
        self.settings = _Names()
        self.values = {}

    def set(self, name, value):
        if name not in self.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        self.values[name] = value

    def __getattr__(self, name):
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"{name} is not set; defaults are filled in when the server starts") from None


class BaseApplication:
    """To be derived from: load_config() sets self.cfg, load() answers the WSGI callable, run() starts the server."""

    def __init__(self, usage=None, prog=None):
        self.usage = usage
        self.prog = prog
        self.cfg = None
        self.callable = None
        self.logger = None
        self.do_load_config()

    def do_load_config(self):
        try:
            self.load_default_config()
            self.load_config()
        except Exception as error:
            print(f"\nError: {error}", file=sys.stderr, flush=True)
            sys.exit(1)

    def load_default_config(self):
        self.cfg = Config()

    def load_config(self):
        raise NotImplementedError

    def load(self):
        raise NotImplementedError

    def reload(self):
        self.do_load_config()

    def wsgi(self):
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self):
        """Never returns: this process becomes the server, which runs the same script and takes the object from there."""
        if scripts is not None:
            scripts.hand_over(self)
        launcher.become_server_of_script()


class Application(BaseApplication):
    """gunicorn's base of what is configured by the command line."""

    def load_config(self):
        """The command line and the configuration file are read by the program."""

    def run(self):
        if type(self).load_config is Application.load_config:
            if scripts is not None:
                scripts.refuse_command_line()
            launcher.become_server(sys.argv[1:])
        super().run()
