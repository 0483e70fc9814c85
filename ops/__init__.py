"""What is done with a stack around `pulumi up`: before it, in a pull request, at night, and at its end."""
