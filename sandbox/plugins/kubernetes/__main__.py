"""Run the stand-in as the engine runs a provider: `python -u -m sandbox.plugins.kubernetes ADDRESS`."""

from sandbox.plugins.host import main
from sandbox.plugins.kubernetes.provider import PLUGIN

if __name__ == "__main__":
    main(PLUGIN)
