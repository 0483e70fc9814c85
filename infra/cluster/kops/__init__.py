"""Driver `kops`: a cluster of EC2 machines, made, changed and deleted by the official kops."""
