"""The cluster: a folder for each driver, with its settings and components."""
