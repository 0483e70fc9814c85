"""The settings of a stack: a module with a model for each section, all of them together in `stack`.

`load` alone reads `pulumi.Config` and imports pulumi, so that a command or an editor can use the models without it. The
models of the cluster's drivers lie beside the drivers, in infra/cluster/.
"""
