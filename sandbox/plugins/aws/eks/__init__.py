"""The types of EKS: the cluster, its node groups, its add-ons, and who may enter."""
