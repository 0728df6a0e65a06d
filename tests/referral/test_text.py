"""Texts that people type: cleaned, folded, compared."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.text import (
    clean_line,
    clean_paragraphs,
    fold,
    fold_account_number,
    fold_model_number,
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
BAD = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(ANY_TEXT)
def test_a_cleaned_line_is_one_line_that_any_database_can_keep(text):
    line = clean_line(text)
    assert not {unicodedata.category(character) for character in line} & BAD
    assert line == line.strip()
    assert "  " not in line
    line.encode()


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing_more(text):
    assert clean_line(clean_line(text)) == clean_line(text)
    assert clean_paragraphs(clean_paragraphs(text)) == clean_paragraphs(text)


@given(ANY_TEXT)
def test_paragraphs_keep_their_line_breaks_and_nothing_else_that_controls(text):
    kept = clean_paragraphs(text).replace("\n", "")
    assert not {unicodedata.category(character) for character in kept} & BAD


def test_paragraphs_of_windows_and_unix_are_the_same():
    assert clean_paragraphs(" a\r\n b \r\n\r\nc\r\n") == clean_paragraphs("a\nb\n\nc") == "a\nb\n\nc"


@given(st.text(max_size=40))
def test_two_texts_that_look_the_same_fold_to_the_same(text):
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))
    assert fold(f"  {text}\t") == fold(text)


@given(st.text("abcXYZ ÄÖÅéß", max_size=20))
def test_case_makes_no_difference_to_a_folded_text(text):
    assert fold(text.upper()) == fold(text) == fold(text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "00481234",
        "0048-1234",
        "0048 1234",
        " 00 48 - 12 34 ",
        "0048\u20101234",
        "0048\u20111234",
        "0048\u20131234",
        "0048\u00a01234",
        "００４８１２３４",
    ],
)
def test_account_numbers_compare_without_spaces_and_hyphens(text):
    assert fold_account_number(text) == "00481234"


@pytest.mark.parametrize("text", ["481234", "0481234", "000481234", "0048123", "0048.1234"])
def test_account_numbers_keep_leading_zeros_and_every_other_character(text):
    assert fold_account_number(text) != "00481234"


@given(ANY_TEXT)
def test_no_text_makes_the_folding_of_numbers_crash(text):
    for folded in (fold_account_number, fold_model_number):
        assert not any(character.isspace() for character in fold_model_number(folded(text)))


def test_model_numbers_compare_without_case_and_white_space():
    assert fold_model_number(" d3-light ") == fold_model_number("D3-LIGHT") == fold_model_number("D3 -light")
    assert fold_model_number("D3-LIGHT") != fold_model_number("D3LIGHT")
