"""Debian's Docker daemon and registry, both on loopback; they need root."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest

USER, PASSWORD = "one", "hunter2-hunter2-hunter2"
TOOLS = ("dockerd", "docker-registry", "busybox")

there = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, TOOLS)), reason=f"needs root and {', '.join(TOOLS)}"
)
"""Skips a test where the two cannot run."""


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a registry with one user; yield its host and port."""
    folder.mkdir()
    (folder / "users").write_text(f"{USER}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": "127.0.0.1:0"},
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "users")}},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with _running("docker-registry", "serve", str(folder / "config.yml"), until="listening on") as line:
        found = re.search(r"127\.0\.0\.1:\d+", line)
        assert found
        yield found[0]


@contextmanager
def daemon(folder: Path) -> Iterator[str]:
    """Run a daemon without a network; yield the value of DOCKER_HOST."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"deprecated-key-path": str(folder / "key.json")}))
    # A socket's path has at most 107 bytes (unix(7)), and a test's folder may be deep.
    with tempfile.TemporaryDirectory(prefix="docker-") as run:
        options = [f"--data-root={folder / 'data-root'}", f"--exec-root={run}/exec", f"--pidfile={run}/pid"]
        options += ["--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
        options += [f"--config-file={folder / 'config.json'}"]
        host = f"unix://{run}/docker.sock"
        with _running("dockerd", *options, f"--host={host}", until="API listen on"):
            yield host


@contextmanager
def _running(*command: str, until: str) -> Iterator[str]:
    """Run a server; yield the line of its log that says that it is up."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        said = deque[str](maxlen=20)
        for line in process.stdout:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail("".join(said))
        threading.Thread(target=deque, args=(process.stdout, 0), daemon=True).start()  # or the log fills the pipe
        try:
            yield line
        finally:
            process.terminate()
            process.wait(timeout=20)
