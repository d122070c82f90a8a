"""What English writes short, and how it is said in full."""

TITLES = {
    "Mr.": "Mister",
    "Mrs.": "Missus",
    "Ms.": "Miz",
    "Dr.": "Doctor",
    "Prof.": "Professor",
    "Gen.": "General",
    "Capt.": "Captain",
    "Lt.": "Lieutenant",
    "Sgt.": "Sergeant",
    "Rev.": "Reverend",
    "Sen.": "Senator",
    "Gov.": "Governor",
    "St.": "Saint",
    "Mt.": "Mount",
}
"""Before a name."""

AFTER_NAMES = {
    "Jr.": "Junior",
    "Sr.": "Senior",
    "St.": "Street",
    "Ave.": "Avenue",
    "Rd.": "Road",
    "Blvd.": "Boulevard",
    "Inc.": "Incorporated",
    "Ltd.": "Limited",
    "Co.": "Company",
    "Corp.": "Corporation",
    "Dr.": "Drive",
}
"""After a name."""

ABBREVIATIONS = {
    "vs.": "versus",
    "etc.": "et cetera",
    "e.g.": "for example",
    "i.e.": "that is",
    "approx.": "approximately",
    "dept.": "department",
    "min.": "minutes",
}
ENDING = frozenset({"etc.", *(name.lower() for name in AFTER_NAMES)})
"""What often ends a sentence: the dot then is the sentence's too."""

CURRENCIES = {
    "$": ("dollar", "cent"),
    "\u00a3": ("pound", "penny"),
    "\u20ac": ("euro", "cent"),
    "\u00a5": ("yen", ""),
}
UNITS = {
    "km": "kilometer",
    "cm": "centimeter",
    "mm": "millimeter",
    "m": "meter",
    "kg": "kilogram",
    "g": "gram",
    "mg": "milligram",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "ft": "foot",
    "mi": "mile",
    "l": "liter",
    "ml": "milliliter",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
    "hrs": "hour",
    "Hz": "hertz",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "GHz": "gigahertz",
    "KB": "kilobyte",
    "MB": "megabyte",
    "GB": "gigabyte",
    "TB": "terabyte",
    "W": "watt",
    "kW": "kilowatt",
    "V": "volt",
    "mph": "mile per hour",
    "km/h": "kilometer per hour",
    "\u00b0C": "degree Celsius",
    "\u00b0F": "degree Fahrenheit",
    "\u00b0": "degree",
}
PLURALS = {
    "foot": "feet",
    "penny": "pence",
    "yen": "yen",
    **{name: name for name in UNITS.values() if name.endswith("hertz")},
}
SIGNS = {"&": "and", "@": "at", "+": "plus", "=": "equals", "%": "percent", "#": "number"}
FRACTIONS = {"\u00bd": "1/2", "\u00bc": "1/4", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ROMAN = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV")
"""Two and so on, after what is numbered so:"""
NUMBERED = ("Chapter", "Part", "Act", "Scene", "Volume", "Book", "War", "Phase", "Type", "Class")
_LETTERS = "AI API ATM CEO CIA EU FAQ FBI IBM ID IQ OK UFO UI UK UN US USA UV"
SPELLED = frozenset(_LETTERS.split())
"""Letter by letter, though they have a vowel."""
DENOMINATORS = frozenset({2, 3, 4, 5, 6, 8, 10, 12, 16, 32, 64, 100})
"""Of fractions: 9/11 and 24/7 are no fractions."""
