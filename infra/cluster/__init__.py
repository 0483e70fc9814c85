"""The cluster, whoever makes it: a folder for each driver, with its settings and its components."""
