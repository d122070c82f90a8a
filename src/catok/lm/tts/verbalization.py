"""English as it is said: numbers, dates, times, money, units and abbreviations as words.

Numbers become words by num2words (extra `tts`), read as in the USA: no "and", month before day.
What the rules do not know stays as it is.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date

from catok.extras import imported
from catok.lm.tts.abbreviations import (
    ABBREVIATIONS,
    AFTER_NAMES,
    CURRENCIES,
    DENOMINATORS,
    DIGITS,
    ENDING,
    FRACTIONS,
    MONTHS,
    NUMBERED,
    PLURALS,
    ROMAN,
    SIGNS,
    SPELLED,
    TITLES,
    UNITS,
)

_MONTH = "(?:" + "|".join(rf"{month[:3]}\.|{month}" for month in MONTHS) + r"|Sept\.)"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_LARGE = "thousand|million|billion|trillion"

_TAG = re.compile(r"(\[S\d+\])")

Match = re.Match[str]


def verbalize(text: str) -> str:
    """The English text in words; the tags of speakers, such as [S1], stay.

    Raises ValueError where there are digits and num2words is not installed.
    """
    return "".join(
        part if number % 2 else _in_words(part) for number, part in enumerate(_TAG.split(text))
    )


def _in_words(text: str) -> str:
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _cardinal(number: str | int) -> str:
    """ "1,234" -> "one thousand two hundred thirty-four"; "3.10" -> "three point one zero"."""
    whole, point, decimals = str(number).replace(",", "").partition(".")
    if len(whole) > 15 or (len(whole) > 1 and whole[0] == "0"):
        words = _digits(whole)
    else:
        words = _words(int(whole), "cardinal")
    return f"{words} point {_digits(decimals)}" if point else words


def _words(number: int, to: str) -> str:
    words = imported("num2words", "tts").num2words(number, lang="en", to=to)
    return words.replace(" and ", " ").replace(",", "").replace("oh-", "oh ")


def _year(number: int) -> str:
    return _words(number, "year")


def _digits(digits: str) -> str:
    return " ".join(DIGITS[int(digit)] for digit in digits)


def _letters(word: str) -> str:
    return " ".join(word)


def _counted(number: str, noun: str) -> str:
    """A number of things: the noun's first word is what is counted."""
    if number.replace(",", "") in ("1", "1.0", "1.00"):
        return f"one {noun}"
    first, space, rest = noun.partition(" ")
    return f"{_cardinal(number)} {PLURALS.get(first, first + 's')}{space}{rest}"


def _money(match: Match) -> str:
    sign, amount, large = match["sign"], match["amount"], match["large"]
    unit, small = CURRENCIES[sign]
    if large:
        return f"{_cardinal(amount)} {large} {PLURALS.get(unit, unit + 's')}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if len(decimals) != 2 or not small:
        return _counted(amount, unit)
    parts = [_counted(whole, unit)] if int(whole) or not int(decimals) else []
    if int(decimals):
        parts.append(_counted(str(int(decimals)), small))
    return " and ".join(parts)


def _month(written: str) -> str:
    return next(month for month in MONTHS if month.startswith(written[:3]))


def _date(month: str, day: int, year: str | None) -> str:
    said = f"{month} {_words(day, 'ordinal')}"
    return f"{said}, {_year(int(year))}" if year else said


def _month_first(match: Match) -> str:
    return _date(_month(match["month"]), int(match["day"]), match["year"])


def _day_first(match: Match) -> str:
    said = f"{_words(int(match['day']), 'ordinal')} of {_month(match['month'])}"
    article = "" if match["article"] else "the "
    return f"{match['article'] or article}{said}" + (
        f", {_year(int(match['year']))}" if match["year"] else ""
    )


def _month_and_year(match: Match) -> str:
    return f"{_month(match['month'])} {_year(int(match['year']))}"


def _numeric_date(match: Match) -> str:
    try:
        parsed = date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return match[0]
    return _date(MONTHS[parsed.month - 1], parsed.day, match["year"])


def _clock(match: Match) -> str:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = _letters(match["half"].replace(".", "").upper()) if match["half"] else ""
    if minute:
        said = f"{_cardinal(hour)} {'oh ' if minute < 10 else ''}{_cardinal(minute)}"
    elif half:
        said = _cardinal(hour)
    else:
        said = f"{_cardinal(hour)} o'clock" if 0 < hour <= 12 else f"{_cardinal(hour)} hundred"
    return f"{said} {half}".strip() + ("" if match["stop"] is None else ".")


def _decade(match: Match) -> str:
    century, tens = match["century"], int(match["tens"])
    name = f"{_cardinal(tens)[:-1]}ies" if tens else "hundreds"
    return f"{_cardinal(century)} {name}" if century else name


def _fraction(match: Match) -> str:
    above, below = int(match["above"]), int(match["below"])
    if below not in DENOMINATORS or above >= below:
        return match[0]
    part = {2: "half", 4: "quarter"}.get(below) or _words(below, "ordinal")
    many = part if above == 1 else "halves" if below == 2 else f"{part}s"
    if not match["whole"]:
        return f"{_cardinal(above)} {many}"
    return f"{_cardinal(match['whole'])} and {'a' if above == 1 else _cardinal(above)} {many}"


def _phone(match: Match) -> str:
    return ", ".join(_digits(group) for group in re.findall(r"\d+", match[0]))


def _range(match: Match) -> str:
    return f"{_number_or_year(match['low'])} to {_number_or_year(match['high'])}"


def _number_or_year(number: str) -> str:
    is_year = re.fullmatch(r"1[1-9]\d\d|20[1-9]\d", number)
    return _year(int(number)) if is_year else _cardinal(number)


def _measure(match: Match) -> str:
    return _counted(match["amount"], UNITS[match["unit"]])


def _abbreviation(table: dict[str, str]) -> Callable[[Match], str]:
    def said(match: Match) -> str:
        word = match["short"]
        full = table.get(word) or table[word.lower()]
        before = match.groupdict().get("name", "")
        full = full.capitalize() if word[0].isupper() and full[0].islower() else full
        ends = word.lower() in ENDING and match["last"] is not None
        return before + full + ("." if ends else "")

    return said


def _acronym(match: Match) -> str:
    word = match["word"]
    spelled = word in SPELLED or not re.search("[AEIOUY]", word)
    return (_letters(word) if spelled else word) + ("'s" if match["s"] else "")


def _one_of(words: Sequence[str] | dict[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_END = r"(?=\s*$|\s+(?-i:[A-Z\"]))"  # of a sentence, as far as one can tell
_LAST = rf"(?P<last>{_END})?"
_YEAR = r"(?P<year>1\d{3}|20\d\d)\b"
_DAY = r"(?P<day>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?\b"

_RULES: list[tuple[re.Pattern[str], str | Callable[[Match], str]]] = [
    (re.compile("[" + "".join(FRACTIONS) + "]"), lambda m: f" {FRACTIONS[m[0]]}"),
    (re.compile(r"[\u2010\u2011\u2013](?=\d)"), "-"),
    (re.compile(r"\u2212(?=\d)"), "-"),
    (
        re.compile(
            rf"(?P<name>(?<=[a-z\d] )[A-Z][a-z]+,? )(?P<short>{_one_of(AFTER_NAMES)}){_LAST}"
        ),
        _abbreviation(AFTER_NAMES),
    ),
    (re.compile(r"(?<!\w)(Mr|Mrs|Ms)\.(?=\s)"), lambda m: TITLES[m[0]]),
    (re.compile(rf"(?<!\w)({_one_of(TITLES)})(?=\s+[A-Z])"), lambda m: TITLES[m[0]]),
    (
        re.compile(
            rf"\b(?P<hour>1\d|2[0-3]|0?\d)(?::(?P<minute>[0-5]\d))?\s?"
            rf"(?P<half>[aApP]\.m\.|[aApP][mM]\b|[AP]\.M\.)(?P<stop>(?<=\.){_END})?"
        ),
        _clock,
    ),
    (
        re.compile(
            r"\b(?P<hour>1\d|2[0-3]|0?\d):(?P<minute>[0-5]\d)\b(?P<half>(?!))?(?P<stop>(?!))?"
        ),
        _clock,
    ),
    (
        re.compile(rf"(?<!\w)(?P<short>{_one_of(ABBREVIATIONS)}){_LAST}", re.IGNORECASE),
        _abbreviation(ABBREVIATIONS),
    ),
    (re.compile(r"\bNo\.\s?(?=\d)"), "number "),
    (re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b"), _numeric_date),
    (re.compile(r"\b(?P<month>\d\d?)/(?P<day>\d\d?)/(?P<year>\d{4})\b"), _numeric_date),
    (re.compile(rf"\b(?P<month>{_MONTH}) {_DAY}(?:,? {_YEAR})?"), _month_first),
    (
        re.compile(rf"\b(?P<article>[Tt]he )?{_DAY}(?: of)? (?P<month>{_MONTH})(?:,? {_YEAR})?"),
        _day_first,
    ),
    (re.compile(rf"\b(?P<month>{_MONTH}) {_YEAR}"), _month_and_year),
    (
        re.compile(
            rf"(?P<sign>[$\u00a3\u20ac\u00a5])(?P<amount>{_NUMBER})(?: (?P<large>{_LARGE})\b)?"
        ),
        _money,
    ),
    (re.compile(r"(?<![\d-])(?:1-)?(?:\d{3}-|\(\d{3}\) ?)?\d{3}-\d{4}\b(?!-)"), _phone),
    (re.compile(r"(?<!\d)(?:\u2019|')?(?P<century>1\d|20)?(?P<tens>\d0)'?s\b"), _decade),
    (re.compile(r"\b(\d+)(?:st|nd|rd|th)\b"), lambda m: _words(int(m[1]), "ordinal")),
    (
        re.compile(
            r"(?<![\d/.])(?:(?P<whole>\d+) )?(?P<above>[1-9]\d?)/(?P<below>[2-9]|[1-9]\d)(?![\d/])"
        ),
        _fraction,
    ),
    (re.compile(rf"(?P<amount>{_NUMBER})\s?(?P<unit>{_one_of(UNITS)})(?![\w/])"), _measure),
    (
        re.compile(rf"(?<![\w-])(?P<low>{_NUMBER})\s?-\s?(?P<high>{_NUMBER})(?![\w-])"),
        _range,
    ),
    (re.compile(r"\d+(?:\.\d+){2,}"), lambda m: " point ".join(map(_cardinal, m[0].split(".")))),
    (re.compile(r"(?<=\d)/(?=\d)"), " "),
    (re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])"), " "),
    (re.compile(r"#(?=\d)"), "number "),
    (re.compile(r"(?<=\d)\s?%"), " percent"),
    (re.compile(r"(?<![\w.,-])-(?=\d)"), "minus "),
    (
        re.compile(rf"\b({'|'.join(NUMBERED)}) ({'|'.join(ROMAN)})\b"),
        lambda m: f"{m[1]} {_cardinal(ROMAN.index(m[2]) + 2)}",
    ),
    (re.compile(rf"(?:{_NUMBER})"), lambda m: _number_or_year(m[0])),
    (re.compile(r"\b(?:[A-Z]\.){2,}"), lambda m: _letters(m[0].replace(".", ""))),
    (re.compile(r"\b(?P<word>[A-Z]{2,5})(?P<s>'s)?\b(?<!')"), _acronym),
    (re.compile(r"\s?([&@+=%#])\s?"), lambda m: f" {SIGNS[m[1]]} "),
    (re.compile(r"[ \t]{2,}"), " "),
]
