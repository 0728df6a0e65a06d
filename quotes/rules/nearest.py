"""The nearest model numbers to one that is not on the list: shared groups of three characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from referral.text import fold, fold_model_number

STEPS = 40_000
"""Comparisons for one number: rare groups come first, the commonest ones of a long list are left aside."""
LEAST = 300
"""Thousandths of likeness below which nothing is offered."""
SHOWN = 3

_NO_LETTER = re.compile(r"[\W_]+")


def _groups(text: str) -> set[str]:
    padded = f"  {text} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


def _number_groups(text: str) -> set[str]:
    return _groups(_NO_LETTER.sub("", fold_model_number(text)))


def _word_groups(text: str) -> set[str]:
    return {group for word in _NO_LETTER.split(fold(text)) if word for group in _groups(word)}


class NearestModels:
    """The model numbers and descriptions of one price list, to find the nearest in."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        """Take (model number, description) of each item."""
        self._numbers: list[str] = []
        self._sizes: list[int] = []
        self._by_number: dict[str, list[int]] = {}
        self._by_word: dict[str, list[int]] = {}
        for at, (number, description) in enumerate(items):
            self._numbers.append(number)
            groups = _number_groups(number)
            self._sizes.append(len(groups))
            for group in groups:
                self._by_number.setdefault(group, []).append(at)
            for group in _word_groups(description):
                self._by_word.setdefault(group, []).append(at)

    def find(self, text: str, description: str = "", limit: int = SHOWN) -> Sequence[str]:
        """Return the nearest model numbers, the best first, none where nothing is like it.

        `text` is what stands for a model number, `description` what is known of the product.
        """
        wanted = _number_groups(text)
        likeness: Counter[int] = Counter()
        for at, shared in _counted(self._by_number, wanted).items():
            likeness[at] = 2_000 * shared // (len(wanted) + self._sizes[at])
        words = _word_groups(description or text)
        if len(words) > 3:
            for at, shared in _counted(self._by_word, words).items():
                likeness[at] += (600 if description else 900) * shared // len(words)
        best = sorted(likeness.items(), key=lambda pair: (-pair[1], self._numbers[pair[0]]))
        return [self._numbers[at] for at, thousandths in best[:limit] if thousandths >= LEAST]


def _counted(places: dict[str, list[int]], groups: set[str]) -> Counter[int]:
    """Return how many of these groups each item has, the rarest groups first, within STEPS."""
    counted: Counter[int] = Counter()
    left = STEPS
    for found in sorted((places[group] for group in sorted(groups) if group in places), key=len):
        left -= len(found)
        if left < 0:
            break
        counted.update(found)
    return counted
