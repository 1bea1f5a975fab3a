"""Who learns with whom on the teacher's page, in a real browser: who is alone, the last groups, and what waits."""

from typing import Any

import httpx
import pytest

from tests.stories.conftest import LEARNER
from tests.stories.test_teachers_page import (
    CHROMIUM,
    CLASS,
    OTHERS,
    browser,
    desk,
    fits,
    page,
    pictured,
    playwright,
    running,
)

__all__ = ["browser", "desk", "page", "running"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; `make browser` installs it")

PUPILS = [f"pupil-{n:02d}" for n in range(12)]


def put(app: httpx.Client, path: str, body: dict[str, Any]) -> None:
    app.put(path, json=body).raise_for_status()


def tell_of(app: httpx.Client) -> None:
    """Four speak with each other alone, so that not all are offered the same three."""
    for n, x in enumerate((*PUPILS, LEARNER, *OTHERS)):
        put(app, f"/v1/learners/{x}", {"classes": [CLASS], "languages": [("de", "fr", "it")[n % 3]]})


def work_together(app: httpx.Client, *pairs: tuple[str, str]) -> None:
    events = [
        {"event_id": f"{a}-{b}", "kind": "collaborated", "learner_id": a, "with_learner_ids": [b], "class_id": CLASS}
        for a, b in pairs
    ]
    assert app.post("/v1/events", json={"events": events}).json()["rejected"] == []


def look(page: Any) -> Any:
    page.get_by_role("button", name="Open").click()
    playwright.expect(page.locator("#said")).to_contain_text("15 learners")
    return page.locator("#together")


def test_a_class_of_which_nothing_is_told_says_so(page: Any) -> None:
    together = page.locator("#together")
    playwright.expect(together).to_contain_text("Too little is told of who learned with whom")
    playwright.expect(together).to_contain_text("No groups are kept for this class yet.")
    assert page.locator("#waiting").is_hidden()


def test_who_is_alone_and_the_last_groups_are_shown(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    tell_of(app)
    work_together(app, *zip(PUPILS[::2], PUPILS[1::2], strict=True))
    together = look(page)
    alone = [x.strip() for x in together.locator("ul").first.locator("li").all_inner_texts()]
    told = app.get("/v1/groups", params={"class_id": CLASS}).json()["alone"]
    assert sorted(alone) == told == ["kim", "learner-000000", "noor"]
    # The same judgement as the flag of one learner.
    flags = [
        app.post("/v1/collaborators", json={"learner_id": x, "class_id": CLASS}).json()["flags"]
        for x in ("kim", PUPILS[0])
    ]
    assert [[f["code"] for f in one] for one in flags] == [["alone"], []]
    groups = [{"learner_ids": [*PUPILS[:3], "kim"], "title": "A wall of fractions"}, {"learner_ids": PUPILS[3:6]}]
    put(app, "/v1/groups/week-1", {"class_id": CLASS, "groups": groups})
    together = look(page)
    first = together.locator("details").filter(has_text="Group 1")
    assert (first.locator("li").first.is_visible(), "4 learners" in first.inner_text()) == (False, True)
    first.locator("summary").click()
    assert first.locator("li").all_inner_texts() == [*PUPILS[:3], "kim"]
    playwright.expect(first).to_contain_text("A wall of fractions")
    playwright.expect(together.locator("ul").first).not_to_contain_text("kim")
    pictured(page, "together")
    assert fits(page)


def test_many_questions_do_not_push_the_class_away_and_what_answers_all_stands_by_them(
    page: Any, desk: tuple[httpx.Client, str]
) -> None:
    app, _ = desk
    tell_of(app)
    ask = {"id": "ask", "verb": "approve_contact", "scope": {"class_id": CLASS}}
    assert app.post("/v1/rules", json=ask).status_code == 201
    for x in PUPILS:
        app.post("/v1/collaborators", json={"learner_id": x, "class_id": CLASS, "k": 20}).raise_for_status()
    look(page)
    waiting = app.get("/v1/approvals", params={"state": "waiting", "class_id": CLASS, "limit": 200}).json()["approvals"]
    assert len(PUPILS) < len(waiting) <= 3 * len(PUPILS)
    shown = page.locator("#approvals > li")
    assert shown.count() == 4
    more = shown.last.locator("> details")
    playwright.expect(more.locator("> summary")).to_contain_text("Show all: ")
    assert page.locator("#approvals").bounding_box()["height"] < 300
    assert page.get_by_role("button", name="everything that waits").count() == 0
    pictured(page, "many-wait")
    assert fits(page)
    who = min(one["learner_id"] for one in waiting)
    own = [one for one in waiting if one["learner_id"] == who]
    first = shown.first
    first.locator("summary").click()
    assert first.locator(".question").count() == len(own) > 1
    first.get_by_role("button", name="Approve: everything").scroll_into_view_if_needed()
    pictured(page, "one-open")
    first.locator(".question").first.get_by_role("button", name="Approve").click()
    playwright.expect(page.locator("#said")).to_contain_text("Approved")
    # The list stays open while there is something left in it.
    if len(own) > 2:
        assert first.get_by_role("button", name="Decline: everything").is_visible()
    more.locator("> summary").click()
    assert more.locator("> ul > li").count() >= 1
    playwright.expect(page.locator("#rules")).to_contain_text("It binds groups and peers, not what learners get next.")
    playwright.expect(page.locator("#rules")).not_to_contain_text("touches nobody")


def test_it_can_be_read_by_everybody(page: Any, desk: tuple[httpx.Client, str]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    app, _ = desk
    tell_of(app)
    work_together(app, *zip(PUPILS[::2], PUPILS[1::2], strict=True))
    put(app, "/v1/groups/week-1", {"class_id": CLASS, "groups": [{"learner_ids": PUPILS[:3]}]})
    ask = {"id": "ask", "verb": "approve_contact", "scope": {"class_id": CLASS}}
    assert app.post("/v1/rules", json=ask).status_code == 201
    for x in PUPILS[:6]:
        app.post("/v1/collaborators", json={"learner_id": x, "class_id": CLASS, "k": 3}).raise_for_status()
    look(page).locator("details summary").first.click()
    page.locator("#approvals summary").first.click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == [], scheme
