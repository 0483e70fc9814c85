"""Reads an output of another stack as the value of a setting."""

import pulumi


class StackOutputError(pulumi.RunError):
    """Another stack's output is missing or not a string. A RunError, so that `pulumi up` shows only its message."""


def output(reference: str, *, key: str, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
    """Return the output `<organization>/<project>/<stack>#<output>`, a string, as of that stack's last `up`.

    It is known in a preview too, and secret if it is secret there. `key` is the setting that names it. The reference is
    named after the key, so that the engine's own error about a missing stack shows the key too.
    """
    stack, _, name = reference.partition("#")
    found = pulumi.StackReference(key, stack_name=stack, opts=opts).get_output(name)

    def checked(value: object) -> str:
        # Do not show the value: it may be secret.
        if not isinstance(value, str):
            raise StackOutputError(
                f"{key}: found {'nothing' if value is None else 'no string'} in the output {name} of the stack "
                f"{stack}, expected a string. `pulumi stack output --stack {stack}` lists its outputs: name one of "
                "those, or run `pulumi up` for that stack first."
            )
        return value

    return found.apply(checked)
