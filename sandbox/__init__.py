"""The embedded cloud: what the program meets on one machine in place of AWS. The program never imports it."""
