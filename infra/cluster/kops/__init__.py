"""Driver `kops`: a cluster of EC2 machines, created, changed and deleted with the official kops."""
