"""The plugins that the engine finds on PATH in the sandbox."""
