"""The page on rules has an example of every verb, and every example is a rule."""

import re
from pathlib import Path

import pytest
import yaml

from engine.rules.language import plain_of, rule_of
from engine.rules.verbs import LANGUAGE, VERBS
from engine.rules.words import said

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["id"])
def test_every_example_is_a_rule_that_can_be_said(example):
    rule = rule_of(example)
    assert rule_of(plain_of(rule)) == rule
    assert "{" not in said(rule)


def test_every_verb_has_an_example_and_a_paragraph():
    assert {e["verb"] for e in EXAMPLES} == set(VERBS)
    assert all(f"**{verb}**" in PAGE for verb in VERBS)


def test_the_version_of_the_language_is_told():
    assert f"version {LANGUAGE} of the language" in PAGE
