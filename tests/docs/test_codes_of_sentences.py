"""The codes of sentences in the guide are those that the engine can say."""

import re
from pathlib import Path

from engine import emptiness, flags, phrases
from serving.approving import FLAG

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "app-developer.md").read_text().split("## Codes of sentences")[1].split("\n## ")[0]


def table(heading: str) -> set[str]:
    """The codes in the first column of one of the tables."""
    rows = GUIDE.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_code_stands_there_and_no_other() -> None:
    source = "".join((ROOT / "engine" / name).read_text() for name in ("emptiness.py", "recommender.py"))
    said = set(re.findall(r'code="(\w+)"', source)) | {emptiness.MASTERED_CODE, emptiness.RULED_OUT_CODE}
    said |= set(re.findall(r'"(rules_\w+)"', source))
    assert table("`message_facts`") == said
    assert table("`what_if_facts`") == set(phrases.WHAT_IF)
    assert table("flag") == {"loop", FLAG}
    assert all(f"`{name}`" in GUIDE for name in emptiness.IN_THE_WAY)
    assert all(f"`{code}`" in GUIDE for code, _ in (flags.CHANGED, flags.ALIKE, flags.RESTS))
