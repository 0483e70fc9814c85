"""gunicorn's settings for a small container behind a load balancer, with a read-only root file system.

gunicorn's own variable GUNICORN_CMD_ARGS overrides any of them without a new image.
"""

import os

wsgi_app = "ejemplo.wsgi"
bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"

# One process: the container requests a fraction of a core; for more, Kubernetes runs and watches more pods. Loaded
# before the fork: a bad setting fails the start, and the port opens only once the site is loaded.
workers = 1
preload_app = True
# Threads: a sync worker closes the connection after each answer, but the load balancer reuses it. Eight: a connection
# opened ahead of its request occupies a thread for some seconds.
worker_class = "ejemplo.server.SiteWorker"
threads = 8

# Seconds. Longer than a classic ELB's default idle timeout of 60, as AWS requires in "Configure the idle connection
# timeout": the balancer must close first, or it may send a request into a closing connection and answer 502 or 504.
keepalive = 75
# Seconds for requests in flight to end after SIGTERM. The container must be given more time than this plus any pause
# before SIGTERM; 20 leaves 10 of Kubernetes' default 30.
graceful_timeout = 20

# The folder of the workers' heartbeat file. It is in memory, and writable with a read-only root file system.
worker_tmp_dir = "/dev/shm"  # noqa: S108  # its file names are not predictable
# The control socket would be in the home directory, and nothing uses it.
control_socket_disable = True

# For TLS without a load balancer that terminates it. gunicorn reads both files for every connection, so a renewed
# certificate is used at once.
if folder := os.environ.get("TLS_FOLDER"):
    certfile, keyfile = f"{folder}/tls.crt", f"{folder}/tls.key"

# Trust no peer: Django's settings decide on X-Forwarded-Proto.
forwarded_allow_ips = ""

accesslog = "-"
# No query string, referer or cookie: they may contain secrets.
access_log_format = '%(h)s "%({x-forwarded-for}i)s" %(t)s "%(m)s %(U)s %(H)s" "%({host}i)s" %(s)s %(B)s %(M)sms "%(a)s"'
logger_class = "ejemplo.server.SiteLogger"
