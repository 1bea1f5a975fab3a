"""Groups on the teacher's page, in a real browser: made, changed by mouse or keyboard, kept, and looked back at."""

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
from tests.stories.test_together_on_the_page import PUPILS, look, put, tell_of, work_together

__all__ = ["browser", "desk", "page", "running"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; `make browser` installs it")

EVERYBODY = sorted((*PUPILS, LEARNER, *OTHERS))


def shown(page: Any) -> list[list[str]]:
    """The groups of the proposal, as they stand on the page."""
    cards = page.locator("#proposal .group")
    return [cards.nth(n).locator("li > span").all_inner_texts() for n in range(cards.count())]


def make(page: Any, mode: str = "random", size: str = "5") -> list[list[str]]:
    page.get_by_label("What they are for").select_option(mode)
    page.get_by_label("How many in each").fill(size)
    page.get_by_role("button", name="Make groups").click()
    playwright.expect(page.locator("#said")).to_contain_text("nothing is kept yet")
    return shown(page)


def kept(app: httpx.Client) -> list[dict[str, Any]]:
    return list(app.get("/v1/groups", params={"class_id": CLASS}).json()["groupings"])


def seat(page: Any, learner_id: str) -> Any:
    return page.get_by_label(f"Group of {learner_id}", exact=True)


def test_groups_are_made_with_one_click_changed_and_kept(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    tell_of(app)
    look(page)
    first = make(page)
    assert sorted(x for group in first for x in group) == EVERYBODY
    assert [len(group) for group in first] == [5, 5, 5]
    pictured(page, "proposal")
    assert fits(page)
    # Another one, and nothing of it is kept.
    page.get_by_role("button", name="Show another proposal").click()
    playwright.expect(page.locator("#proposal h2")).to_have_text("Groups: proposal 2 of 3")
    second = shown(page)
    assert second != first
    assert kept(app) == []
    # By the keyboard alone: the list of a learner keeps the focus where they went.
    who = second[0][0]
    seat(page, who).focus()
    page.keyboard.press("ArrowDown")
    playwright.expect(page.locator("#said")).to_contain_text(f"{who} is in group 2 now.")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Group of {who}"
    assert who in shown(page)[1]
    # By the mouse: another one back in their place. Where cards stand below one another, the list does it.
    other = second[1][0]
    if page.viewport_size["width"] < 500:
        seat(page, other).select_option("0")
    else:
        page.locator("#proposal li > span").get_by_text(other, exact=True).drag_to(
            page.locator("#proposal .group").first
        )
    changed = shown(page)
    assert other in changed[0]
    # What stays is left as it is, to the last learner.
    page.locator("#proposal .group").first.get_by_label("Stays as it is").check()
    page.get_by_role("button", name="Make all groups anew").click()
    playwright.expect(page.locator("#said")).to_contain_text("The rest was made anew.")
    again = shown(page)
    assert again[0] == changed[0]
    assert sorted(x for group in again for x in group) == EVERYBODY
    page.get_by_role("button", name="Keep these groups").click()
    playwright.expect(page.locator("#said")).to_contain_text("Kept.")
    [one] = kept(app)
    assert [g["learner_ids"] for g in one["groups"]] == again
    assert one["mode"] == "random"
    assert page.locator("#proposal").is_hidden()
    assert page.evaluate("document.activeElement.id") == "together-title"
    playwright.expect(page.locator("#together")).to_contain_text(
        "0 of 30 pairs met in one of the three groupings before."
    )
    pictured(page, "kept")
    assert fits(page)


def test_what_was_changed_is_learned_from_and_can_be_taken_back(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    tell_of(app)
    look(page)
    groups = make(page)
    seat(page, groups[0][0]).select_option("1")
    seat(page, groups[1][0]).select_option("0")
    page.get_by_role("button", name="Keep these groups").click()
    playwright.expect(page.locator("#said")).to_contain_text("Kept.")
    told = app.post("/v1/groups", json={"class_id": CLASS, "mode": "random", "size": 5, "proposals": 1}).json()
    assert "edits" in {rule["origin"] for rule in told["proposals"][0]["rules"]}
    together = page.locator("#together")
    together.locator("details").filter(has_text="Over the weeks").locator("summary").click()
    playwright.expect(together).to_contain_text("0 of 30 pairs again")
    playwright.expect(together).to_contain_text("Nobody is known to have helped yet.")
    make(page)
    playwright.expect(page.locator("#proposal")).to_contain_text("meet again")
    page.get_by_role("button", name="Take back the groups").click()
    playwright.expect(page.locator("#said")).to_contain_text("Taken back")
    assert kept(app) == []


def test_two_are_kept_apart_for_a_while_and_a_clash_is_said(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    tell_of(app)
    look(page)
    page.locator("summary").filter(has_text="Two apart, or together").click()
    page.get_by_label("This learner").select_option("kim")
    page.get_by_label("and this one").select_option("noor")
    page.get_by_label("Until, if it ends").fill("2099-01-31")
    page.get_by_label("Why (private)").fill("a private matter")
    page.get_by_role("button", name="Make it a rule").click()
    playwright.expect(page.locator("#said")).to_contain_text("It is a rule now")
    [rule] = app.get("/v1/rules").json()["rules"]
    assert (rule["verb"], rule["what"], rule["until"]) == ("keep_apart", {"learners": ["kim", "noor"]}, "2099-01-31")
    assert (rule["author"], rule["reason"]) == ("Ms Berg", "a private matter")
    playwright.expect(page.locator("#rules")).to_contain_text("until Jan 31, 2099")
    groups = make(page)
    assert not any({"kim", "noor"} <= set(group) for group in groups)
    assert page.locator("#proposal .box.wrong").count() == 0
    seat(page, "kim").select_option(str(next(n for n, group in enumerate(groups) if "noor" in group)))
    playwright.expect(page.locator("#proposal .box.wrong")).to_contain_text("does not hold")
    pictured(page, "clash")
    page.get_by_role("button", name="Keep these groups").click()
    playwright.expect(page.locator("#proposal")).to_contain_text("Kept, and to look at")
    note = page.locator("#proposal .box.wrong").inner_text()
    assert ("does not hold in group" in note, "groups[" in note) == (True, False)


def test_contact_waits_or_not_with_one_tick(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    box = page.get_by_label("Ask me before pupils contact each other")
    assert not box.is_checked()
    box.check()
    playwright.expect(page.locator("#said")).to_contain_text("You are asked before contact now.")
    [rule] = app.get("/v1/rules").json()["rules"]
    assert (rule["verb"], rule["scope"]) == ("approve_contact", {"class_id": CLASS})
    page.get_by_role("button", name="Open").click()
    playwright.expect(page.locator("#said")).to_have_text("3 learners.")
    assert box.is_checked()
    box.uncheck()
    playwright.expect(page.locator("#said")).to_contain_text("Contact waits for nobody now.")
    assert app.get("/v1/rules", params={"in_force": "true"}).json()["rules"] == []


def test_rules_that_cannot_all_hold_are_said_in_words(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    rule = {"verb": "group_size", "value": "2-3", "scope": {"class_id": CLASS}}
    assert app.post("/v1/rules", json={"id": "small", **rule}).status_code == 201
    page.get_by_label("How many in each").fill("7")
    page.get_by_role("button", name="Make groups").click()
    playwright.expect(page.locator("#said.wrong")).to_contain_text("breaks a hard rule")


def test_who_chose_to_be_on_their_own_is_not_told_as_left_alone(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    tell_of(app)
    work_together(app, *zip(PUPILS[::2], PUPILS[1::2], strict=True))
    put(app, "/v1/learners/kim", {"classes": [CLASS], "sharing": False})
    together = look(page)
    assert together.locator("ul").first.locator("li").all_inner_texts() == [LEARNER, "noor"]
    playwright.expect(together).to_contain_text("By their own choice, so there is nothing to do: kim.")
    groups = make(page)
    assert "kim" not in {x for group in groups for x in group}
    playwright.expect(page.locator("#proposal")).to_contain_text("kim chose not to be matched and is in no group.")


def test_who_made_a_rule_without_a_name_is_said_in_words_and_the_count_stays_in_its_place(
    page: Any, desk: tuple[httpx.Client, str]
) -> None:
    app, _ = desk
    assert app.post("/v1/rules", json={"id": "r", "verb": "group_size", "value": "3-5", "scope": {}}).status_code == 201
    page.get_by_role("button", name="Open").click()
    playwright.expect(page.locator("#rules")).to_contain_text("by a key of the school's app")
    playwright.expect(page.locator("#said")).to_have_text("3 learners.")
    # It scrolls away with the page, in place of sliding over the class.
    page.evaluate("window.scrollTo(0, 600)")
    assert page.evaluate("document.getElementById('said').getBoundingClientRect().bottom") < 0


def test_it_can_be_read_by_everybody(page: Any, desk: tuple[httpx.Client, str]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    app, _ = desk
    tell_of(app)
    put(app, "/v1/groups/week-1", {"class_id": CLASS, "groups": [{"learner_ids": PUPILS[:3]}]})
    look(page)
    groups = make(page, "mixed", "4")
    seat(page, groups[0][0]).select_option("1")
    page.locator("summary").filter(has_text="Two apart, or together").click()
    page.locator("summary").filter(has_text="Over the weeks").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        pictured(page, f"groups-{scheme}")
        found = axe.Axe().run(page).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == [], scheme
    assert fits(page)
