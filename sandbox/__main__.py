"""`python -m sandbox`: the command line of the embedded cloud."""

from sandbox.cli import app

if __name__ == "__main__":
    app()
