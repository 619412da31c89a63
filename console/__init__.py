"""The Django project: settings, URLs, WSGI and ASGI, the embedded servers and the sandbox. Imports nothing
itself."""
