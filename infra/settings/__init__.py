"""The settings of a stack: one module per section; `stack` combines them.

No module imports pulumi, so that the settings can be used without it. infra/config.py reads the current stack's. The
models of the cluster drivers are beside the drivers, in infra/cluster/.
"""
