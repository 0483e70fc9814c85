"""How gunicorn serves the site: in a small container, behind a balancer, on a read-only root filesystem.

Any of it can be overruled without a new image by gunicorn's own variable GUNICORN_CMD_ARGS.
"""

import os

wsgi_app = "ejemplo.wsgi"
bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"

# One process: the container asks for a fraction of a core, and a second one is another pod, which Kubernetes
# adds and watches. Loaded before the fork: a bad setting ends the start, and the port opens only once the
# site is loaded.
workers = 1
preload_app = True
# Threads, because a sync worker closes the connection after each answer, and the balancer wants to keep
# it. Eight, because a connection opened ahead of its request holds a thread for some seconds.
worker_class = "ejemplo.server.SiteWorker"
threads = 8

# Seconds. Longer than the 60 for which a classic ELB keeps an idle connection by default, as AWS asks in
# "Configure the idle connection timeout": whoever closes first must be the balancer, or it may send a
# request into a connection that is just being closed, and answer 502 or 504.
keepalive = 75
# Seconds that requests in flight have to end after SIGTERM. What stops the container must wait longer than
# this and any pause of its own before SIGTERM; 20 leaves 10 of Kubernetes' default 30.
graceful_timeout = 20

# Workers touch a file there as their heartbeat. It is memory, and writable whatever the root filesystem is.
worker_tmp_dir = "/dev/shm"  # noqa: S108  # nothing is opened there by a name that could be foreseen
# The control socket would be written into the home directory, and nothing here uses it.
control_socket_disable = True

# Where no balancer ends TLS. gunicorn reads both for every connection: a renewed certificate is used at once.
if folder := os.environ.get("TLS_FOLDER"):
    certfile, keyfile = f"{folder}/tls.crt", f"{folder}/tls.key"

# No peer is trusted here: what X-Forwarded-Proto means is for the settings alone to decide.
forwarded_allow_ips = ""

accesslog = "-"
# No query string, referer or cookie: those may carry secrets.
access_log_format = '%(h)s "%({x-forwarded-for}i)s" %(t)s "%(m)s %(U)s %(H)s" "%({host}i)s" %(s)s %(B)s %(M)sms "%(a)s"'
logger_class = "ejemplo.server.SiteLogger"
