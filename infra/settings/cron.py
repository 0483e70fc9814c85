"""Validates cron expressions as a CronJob accepts them (github.com/robfig/cron, its standard parser)."""

import re

_EVERY = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
"""Minute, hour, day of the month, month and day of the week: the lowest number, the highest, and the names allowed."""


def is_valid(line: str) -> bool:
    """Return whether a string is a cron expression of five fields, or a macro such as @hourly."""
    fields = line.split()
    if len(fields) == 1:
        return line in _EVERY
    return len(fields) == len(_FIELDS) and all(
        _is_part(part, *limits) for field, limits in zip(fields, _FIELDS, strict=True) for part in field.split(",")
    )


def _is_part(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    """Return whether one entry of a field is valid: `*`, `?`, a value or a range, each with or without a step."""
    match = re.fullmatch(r"([*?]|(?P<first>\w+)(-(?P<last>\w+))?)(/(?P<step>[1-9][0-9]{0,3}))?", part)
    if not match:
        return False
    numbers = [_number(each, low, words) for each in (match["first"], match["last"]) if each]
    return all(low <= each <= high for each in numbers) and numbers == sorted(numbers)


def _number(text: str, low: int, words: tuple[str, ...]) -> int:
    if text.isdecimal():
        return int(text)
    return low + words.index(text.lower()) if text.lower() in words else -1
