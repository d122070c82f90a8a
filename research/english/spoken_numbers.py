"""Sentences full of numbers, prices, times and dates, all in words."""

import calendar
import hashlib
from collections.abc import Iterator

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTHS = list(calendar.month_name)[1:]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_SENTENCES = (
    "The meeting is on {day}, the {date} of {month}.",
    "She was born on {month} {date}, {year}.",
    "It happened in the spring of {year}.",
    "The train leaves at {time} from platform {small}.",
    "My number is {digits}.",
    "The ticket costs {price}.",
    "They have sold {large} copies so far.",
    "There are {medium} seats in this hall.",
    "Page {medium} is missing from my book.",
    "It is {medium} miles from here to the coast.",
    "He lives at {medium} Mill Street.",
    "Call me back at {time} on {day}.",
)


def cardinal(number: int) -> str:
    """0 <= number < 1,000,000 in words, without "and": 321 -> "three hundred twenty-one"."""
    if not 0 <= number < 1_000_000:
        raise ValueError(f"expected 0 to 999,999, got {number}")
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    many, rest = divmod(number, size)
    return f"{cardinal(many)} {name}" + (f" {cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """21 -> "twenty-first"."""
    head, dash, last = cardinal(number).rpartition("-")
    before, space, last = last.rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return head + dash + before + space + last


def year(number: int) -> str:
    """1984 -> "nineteen eighty-four", 1905 -> "nineteen oh five", 2007 -> "two thousand seven"."""
    century, rest = divmod(number, 100)
    if number % 1000 < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def clock(hour: int, minute: int) -> str:
    """Hour 1 to 12: "ten fifteen", "ten oh five", "ten o'clock"."""
    if minute == 0:
        return f"{cardinal(hour)} o'clock"
    return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"


def number_sentences(count: int) -> Iterator[str]:
    """`count` sentences; the n-th is always the same."""
    for index in range(count):
        bits = int.from_bytes(hashlib.sha1(f"number {index}".encode()).digest())

        def draw(low: int, high: int) -> int:
            """Evenly from low..high, by using up the digest."""
            nonlocal bits
            bits, value = divmod(bits, high - low + 1)
            return low + value

        parts = {
            "day": _DAYS[draw(0, 6)],
            "date": ordinal(draw(1, 28)),
            "month": _MONTHS[draw(0, 11)],
            "year": year(draw(1700, 2040)),
            "time": clock(draw(1, 12), draw(0, 59)),
            "small": cardinal(draw(1, 12)),
            "medium": cardinal(draw(13, 999)),
            "large": cardinal(draw(1000, 99_999)),
            "digits": ", ".join(
                " ".join(_SMALL[draw(0, 9)] for _ in range(group)) for group in (3, 4)
            ),
            "price": f"{cardinal(draw(2, 99))} dollars and {cardinal(draw(2, 99))} cents",
        }
        yield _SENTENCES[index % len(_SENTENCES)].format(**parts)
