"""The embedded cloud: it stands in for AWS on one machine. The program never imports it."""
