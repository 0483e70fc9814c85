"""Driver `eks`: a cluster whose control plane AWS manages."""
