"""The app in the cluster: its environment, what its pods share, and the objects that run them."""
