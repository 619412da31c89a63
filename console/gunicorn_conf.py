"""How gunicorn serves the console: `gunicorn --config python:console.gunicorn_conf console.wsgi --bind …`.

Number of workers and threads, address and time limits are the command line's. Must not import Django.
"""

# Whether X-Forwarded-Proto is believed is said in one place, TRUST_X_FORWARDED_PROTO. Gunicorn by itself believes every
# client on loopback and on a Unix socket, and the header would turn http into https before Django is asked.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# Else a socket to steer the server with is left in the home of its user.
control_socket_disable = True
