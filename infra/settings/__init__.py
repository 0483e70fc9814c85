"""The settings of a stack: a module with a model for each section, all of them together in `stack`.

None imports pulumi, so that they can be used without it; infra/config.py reads the current stack's. The models of the
cluster's drivers lie beside the drivers, in infra/cluster/.
"""
