"""Regular expressions for versions, for programs that compare text only."""

from __future__ import annotations

_PRE_RELEASE = r"[._-]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)"


def older_than(version: str) -> str:
    """Return a regular expression for the beginning of any version that is older than VERSION.

    + version: one to three numbers; missing ones are 0, in VERSION and in what is matched

    Pre-releases of VERSION itself ("0.16.0rc1", "0.16.0.dev3") are older, as in PEP 440; later parts and suffixes of
    other versions do not matter. An expression that matches nothing is returned where nothing is older.
    """
    numbers = [int(part) for part in version.split(".")]
    numbers += [0] * (3 - len(numbers))
    end = r"(?![0-9])"
    choices: list[str] = []
    for position, number in enumerate(numbers):
        equal = "".join(rf"{n}\." for n in numbers[:position])
        if number:
            choices.append(f"{equal}{_below(number)}{end}")
            # Parts that are missing count as 0, which is less than NUMBER.
            for length in range(1, position + 1):
                if not any(numbers[length:position]):
                    shorter = r"\.".join(str(n) for n in numbers[:length])
                    choices.append(rf"{shorter}(?![0-9]|\.[0-9])")
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    optional = rf"(?:\.0){{0,{3 - len(numbers)}}}"
    choices.append(r"\.".join(str(n) for n in numbers) + optional + _PRE_RELEASE)
    return "|".join(choices)


def _below(number: int) -> str:
    """Return a regular expression for the decimal numbers from 0 to NUMBER - 1, without leading zeros."""
    digits = str(number)
    length = len(digits)
    choices = ["[0-9]" if length > 1 else ""] + [f"[1-9][0-9]{{{size - 1}}}" for size in range(2, length)]
    for position, digit in enumerate(digits):
        least = 1 if position == 0 and length > 1 else 0
        if int(digit) > least:
            rest = f"[0-9]{{{length - position - 1}}}" if position < length - 1 else ""
            choices.append(f"{digits[:position]}[{least}-{int(digit) - 1}]{rest}")
    return f"(?:{'|'.join(choice for choice in choices if choice)})"
