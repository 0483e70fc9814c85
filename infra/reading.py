"""Reads an untyped object key by key, and gathers everything that is wrong with it."""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.checks import Check

_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def close_to(word: str, candidates: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the candidate that the word resembles, nothing if none does."""
    matches = difflib.get_close_matches(word, list(candidates), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


class Section:
    """One object of the configuration.

    A reader of a bad or missing value adds to `problems` and returns an empty value of its type, so that one
    run finds all that is wrong; whoever opened the first section must look at `problems` before using any
    value.
    """

    def __init__(
        self, values: Mapping[str, object], *, problems: list[str], path: str = "", encrypted: bool = False
    ) -> None:
        """Take the object, its own key (empty at the top), and whether Pulumi has a secret anywhere in it."""
        self.problems = problems
        self._values = values
        self._path = path
        self._encrypted = encrypted
        self._known: set[str] = set()

    def has(self, key: str) -> bool:
        """Say whether the key is given; as every reader does, take note that the key exists."""
        self._known.add(key)
        return key in self._values

    def refuse(self, key: str, *, expected: str, found: str | None = None) -> None:
        """Add a problem; `found` is what may be shown of the value, by default the value itself."""
        found = json.dumps(self._values.get(key)) if found is None else found
        self.problems.append(f"{self._name(key)}: found {found}, expected {expected}")

    def text(self, key: str, check: Check, *, default: str | None = None) -> str:
        """Read a text that passes the check, as must the default; without a default it must be given."""
        value = self._values[key] if self.has(key) else default
        if value is None and key not in self._values:
            self.refuse(key, found="nothing", expected=check("") or "a text")
            return ""
        if not isinstance(value, str):
            self.refuse(key, expected="a text (in quotes, if it looks like something else)")
            return ""
        if expected := check(value):
            self.refuse(key, found=json.dumps(value), expected=expected)
            return ""
        return value

    def text_or_none(self, key: str, check: Check) -> str | None:
        """Read a text that passes the check, or None when the key is not given."""
        return self.text(key, check) if self.has(key) else None

    def integer(self, key: str, *, default: int | None = None, low: int, high: int | None = None) -> int:
        """Read a whole number from low to high, both allowed; no upper bound when high is None.

        Without a default it must be given.
        """
        value = self._values[key] if self.has(key) else default
        # To Python true and false are whole numbers as well.
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if number is not None and low <= number and (high is None or number <= high):
            return number
        limits = f"of {low} or more" if high is None else f"from {low} to {high}"
        found = None if key in self._values else "nothing"
        self.refuse(key, found=found, expected=f"a whole number {limits}, without quotes")
        return 0

    def boolean(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._values[key] if self.has(key) else default
        if isinstance(value, bool):
            return value
        self.refuse(key, expected="true or false, without quotes")
        return False

    def choice(self, key: str, *, available: tuple[str, ...], default: str | None = None) -> str:
        """Read one of the available words."""
        value = self.text(key, lambda text: None if text else f"one of {', '.join(available)}", default=default)
        if value and value not in available:
            self.refuse(key, expected=f"one of {', '.join(available)}{close_to(value, available)}")
        return value

    def section(self, key: str, *, required: bool = False, encrypted: bool = False) -> "Section":
        """Open the object under the key, an empty one when it is not given."""
        value = self._values[key] if self.has(key) else {}
        problems = self.problems
        if not isinstance(value, dict) or (required and key not in self._values):
            # What is there stays unsaid: a mistyped object may hold a secret.
            found = _KINDS.get(type(value), "nothing") if key in self._values else "nothing"
            self.refuse(key, found=found, expected="an object")
            # One problem is enough: those of the keys in it would only repeat that they are not there.
            value, problems = {}, []
        return Section(value, problems=problems, path=self._name(key), encrypted=encrypted)

    def secret(self, key: str, check: Check) -> str:
        """Read a text that is encrypted in the stack's file. Nothing of it is ever shown."""
        value = self._values.get(key) if self.has(key) else None
        if not isinstance(value, str):
            self.refuse(key, found=_KINDS.get(type(value), "nothing"), expected="a text")
        elif not self._encrypted:
            command = f"pulumi config set --secret --path {self._name(key)}"
            self.refuse(
                key,
                found="plain text",
                expected=f"an encrypted value; change it, then set it with: {command}",
            )
        elif expected := check(value):
            self.refuse(key, found="a value that is not shown", expected=expected)
        else:
            return value
        return ""

    def secret_or_file(self, key: str, file_key: str, check: Check) -> str:
        """Read a secret from the stack's file or a file on this machine; exactly one of them is given.

        The file's path may begin with `~`; a relative one starts at the project. A last newline is dropped.
        """
        if self.has(key) == self.has(file_key):
            found = "both" if self.has(key) else "neither"
            self.problems.append(f"{self._name(key)}: found {found}, expected one of {key} and {file_key}")
            return ""
        if self.has(key):
            return self.secret(key, check)
        path = self.text(file_key, lambda text: None if text else "the path of a file")
        if not path:
            return ""
        try:
            value = Path(path).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, RuntimeError, UnicodeError) as error:  # RuntimeError: no home directory
            self.refuse(file_key, expected=f"a file that can be read ({_reason(error)})")
            return ""
        if expected := check(value):
            self.refuse(file_key, found=f"a file {path} with another content", expected=expected)
            return ""
        return value

    def texts(self, key: str, *, name: Check, value: Check) -> dict[str, str]:
        """Read an object of texts whose names and values pass the checks; empty when it is not given."""
        inner = self.section(key)
        for each in inner._values:
            if expected := name(each):
                inner.refuse(each, found=f"the name {json.dumps(each)}", expected=expected)
        return {each: inner.text(each, value) for each in inner._values}

    def list_of_texts(self, key: str, check: Check, *, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Read a list of texts that pass the check; without a default it must be given and have one in it."""
        value = self._values[key] if self.has(key) else default
        if not isinstance(value, list | tuple) or (default != () and not value):
            found = None if key in self._values else "nothing"
            self.refuse(key, found=found, expected=f"a list of one or more, each {check('') or 'a text'}")
            return ()
        inner = Section(
            {f"[{index}]": each for index, each in enumerate(value)}, problems=self.problems, path=self._name(key)
        )
        return tuple(text for index in range(len(value)) if (text := inner.text(f"[{index}]", check)))

    def sections(self, key: str) -> "list[Section]":
        """Open every object of a list that must be given and have one in it."""
        value = self._values[key] if self.has(key) else None
        if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
            found = _KINDS.get(type(value), "nothing")
            self.refuse(key, found=found, expected="a list of one or more objects")
            return []
        return [
            Section(each, problems=self.problems, path=f"{self._name(key)}[{index}]", encrypted=self._encrypted)
            for index, each in enumerate(value)
        ]

    def close(self) -> None:
        """Refuse the keys that nobody read: a misspelt one would otherwise be a setting without effect."""
        for key in sorted(self._values.keys() - self._known):
            known = ", ".join(sorted(self._known))
            self.problems.append(f"{self._name(key)}: unknown key{close_to(key, self._known)}, expected one of {known}")

    def _name(self, key: str) -> str:
        separator = "" if not self._path or key.startswith("[") else "."
        return f"{self._path}{separator}{key}"


def _reason(error: Exception) -> str:
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error).split(":")[0]
