"""What the program declares: one noun, one module, one component."""
