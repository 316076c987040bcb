# SPDX-License-Identifier: MIT
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE))

SECRET_KEY = "for tests only"
DEBUG = False
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "project.urls"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
INSTALLED_APPS = ["django.contrib.sessions"]
STATIC_URL = "/static/"
STATIC_ROOT = HERE / "static"
USE_TZ = True
