"""What is written in digits and abbreviations, and how it is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.lm.tts.verbalization import verbalize

CASES = [
    ("I have 3 dogs.", "I have three dogs."),
    ("There are 321 seats.", "There are three hundred twenty-one seats."),
    (
        "It sold 1,234,567 copies.",
        "It sold one million two hundred thirty-four thousand five hundred sixty-seven copies.",
    ),
    ("Pi is about 3.14.", "Pi is about three point one four."),
    ("It was -5 outside.", "It was minus five outside."),
    ("It was \u22125 outside.", "It was minus five outside."),
    ("Agent 007 is here.", "Agent zero zero seven is here."),
    (
        "Code 12345678901234567.",
        "Code one two three four five six seven eight nine zero one two three four five six seven.",
    ),
    ("She came 1st and he came 22nd.", "She came first and he came twenty-second."),
    ("The 100th visitor.", "The one hundredth visitor."),
    ("Born in 1984.", "Born in nineteen eighty-four."),
    ("Since 1905.", "Since nineteen oh five."),
    ("In 2007 it closed.", "In two thousand seven it closed."),
    ("By 2024 it was over.", "By twenty twenty-four it was over."),
    ("In 1900 and 1800.", "In nineteen hundred and eighteen hundred."),
    ("Music of the 1990s.", "Music of the nineteen nineties."),
    ("Music of the '80s.", "Music of the eighties."),
    ("From 1914-1918.", "From nineteen fourteen to nineteen eighteen."),
    ("Pages 5-10 are gone.", "Pages five to ten are gone."),
    ("Pages 5\u201310 are gone.", "Pages five to ten are gone."),
    ("On March 5, 2024, it rained.", "On March fifth, twenty twenty-four, it rained."),
    ("On March 5th.", "On March fifth."),
    ("On Dec. 25 we rest.", "On December twenty-fifth we rest."),
    ("On 5 March 2024.", "On the fifth of March, twenty twenty-four."),
    ("On the 5th of March.", "On the fifth of March."),
    ("Dated 2024-03-05.", "Dated March fifth, twenty twenty-four."),
    ("Dated 3/5/2024.", "Dated March fifth, twenty twenty-four."),
    ("In May 2010.", "In May twenty ten."),
    ("At 10:15 we left.", "At ten fifteen we left."),
    ("At 10:05 am.", "At ten oh five A M."),
    ("At 7 pm we eat.", "At seven P M we eat."),
    ("It opens at 9 a.m. and closes.", "It opens at nine A M and closes."),
    ("It closes at 9:30 p.m.", "It closes at nine thirty P M."),
    ("At 10:00 sharp.", "At ten o'clock sharp."),
    ("At 17:30.", "At seventeen thirty."),
    ("It costs $12.50.", "It costs twelve dollars and fifty cents."),
    ("It costs $1.", "It costs one dollar."),
    ("It costs $0.99.", "It costs ninety-nine cents."),
    ("A $5 million house.", "A five million dollars house."),
    ("It is £3.01 now.", "It is three pounds and one penny now."),
    ("€1,000 is enough.", "one thousand euros is enough."),
    ("¥500 each.", "five hundred yen each."),
    ("50% of them.", "fifty percent of them."),
    ("A rise of 2.5 % a year.", "A rise of two point five percent a year."),
    ("It is 5 km away.", "It is five kilometers away."),
    ("He is 6 ft tall.", "He is six feet tall."),
    ("At 70 mph.", "At seventy miles per hour."),
    ("It is 1 kg.", "It is one kilogram."),
    ("It was 21°C.", "It was twenty-one degrees Celsius."),
    ("Sampled at 24 kHz.", "Sampled at twenty-four kilohertz."),
    ("Call 555-1234.", "Call five five five, one two three four."),
    ("Call 1-800-555-1234.", "Call one, eight zero zero, five five five, one two three four."),
    ("Take 1/2 of it.", "Take one half of it."),
    ("Take 3/4 of it.", "Take three quarters of it."),
    ("Wait 2 1/2 hours.", "Wait two and a half hours."),
    ("Wait 2½ hours.", "Wait two and a half hours."),
    ("Mr. and Mrs. Smith met Dr. Jones.", "Mister and Missus Smith met Doctor Jones."),
    ("He lives at 12 Mill St. in town.", "He lives at twelve Mill Street in town."),
    ("We saw St. Paul.", "We saw Saint Paul."),
    ("It was on Mill St. She left.", "It was on Mill Street. She left."),
    ("Cats, dogs, etc. are fine, e.g. mine.", "Cats, dogs, et cetera are fine, for example mine."),
    ("Bread, milk, etc.", "Bread, milk, et cetera."),
    ("Salt & pepper.", "Salt and pepper."),
    ("See No. 5 and #7.", "See number five and number seven."),
    ("The FBI and NASA in the U.S. agree.", "The F B I and NASA in the U S agree."),
    ("World War II, Chapter IV.", "World War two, Chapter four."),
    ("Please hold the line.", "Please hold the line."),
    ("Don't say 'no', I said.", "Don't say 'no', I said."),
    ("May I go? I may.", "May I go? I may."),
    ("Version 2.0.1 and MP3.", "Version two point zero point one and M P three."),
    ("Open 24/7 since 9/11.", "Open twenty-four seven since nine eleven."),
    ("Said Dr. Jones.", "Said Doctor Jones."),
    ("The 4K TVs of B2B.", "The four K TVs of B two B."),
    ("It is 9 a.m. We go.", "It is nine A M. We go."),
    ("Sammy Davis, Jr. sang.", "Sammy Davis, Junior sang."),
    ("COVID-19 and and/or.", "COVID-nineteen and and/or."),
]


@pytest.mark.parametrize(("written", "said"), CASES)
def test_it_is_said_as_people_say_it(written, said):
    assert verbalize(written) == said


@pytest.mark.parametrize("said", [said for _, said in CASES])
def test_what_is_words_already_stays(said):
    assert verbalize(said) == said


@given(st.text(alphabet="019.,:/-$%# apmktsMarJ'\n", max_size=30))
def test_no_digit_is_left(text):
    assert not any(letter in "019" for letter in verbalize(text))


def test_paragraphs_stay_apart():
    assert verbalize("It is 5.\n\nGo.") == "It is five.\n\nGo."


def test_without_num2words_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "num2words", None)
    assert verbalize("Mr. Smith") == "Mister Smith"  # needs no numbers
    with pytest.raises(ValueError, match=r"catok\[tts\]"):
        verbalize("There are 3.")
