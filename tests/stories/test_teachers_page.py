"""A teacher's day on one page, in a real browser: look, preview, save, undo, answer what waits."""

import itertools
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.served import Served, key_for, served
from tests.stories.conftest import LEARNER

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; `make browser` installs it")

NUMBERS = itertools.count()
CLASS, OTHERS = "7b", ("kim", "noor")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Where pictures of the page go, for whoever wants to look at it.
PICTURES = os.environ.get("TRAILMATE_TEST_PICTURES")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def running(school_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("page") / "data", "--bundle", str(school_bundle)) as server:
        yield server


@pytest.fixture
def desk(running: Served, school_told: dict[str, Any]) -> Iterator[tuple[httpx.Client, str]]:
    """A school of its own for each test with a class of three, and the key of its teacher, which opens no more than
    the page needs.
    """
    tenant = f"page-{next(NUMBERS)}"
    # In a thread of its own: the browser's loop runs in this one.
    with ThreadPoolExecutor(1) as thread:
        whole = thread.submit(key_for, running.data, "admin", tenant=tenant).result()
        key = thread.submit(key_for, running.data, "recommend", "rules", "read", tenant=tenant).result()
    with running.client(whole) as app:
        app.put("/v1/resources", json={"resources": school_told["resources"]}).raise_for_status()
        app.post("/v1/events", json={"events": school_told["events"]}).raise_for_status()
        for learner_id in (LEARNER, *OTHERS):
            app.put(f"/v1/learners/{learner_id}", json={"classes": [CLASS]}).raise_for_status()
        yield app, key


@pytest.fixture(params=[WIDE, NARROW], ids=["1280", "390"])
def page(request: pytest.FixtureRequest, browser: Any, desk: tuple[httpx.Client, str]) -> Iterator[Any]:
    """The page with the class open, the key typed by hand; nothing may go wrong in its script."""
    app, key = desk
    context = browser.new_context(viewport=request.param, color_scheme="light")
    shown = context.new_page()
    wrong: list[str] = []
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None)
    shown.goto(f"{app.base_url}/console/teacher")
    shown.get_by_label("Key").fill(key)
    shown.get_by_label("Class", exact=True).fill(CLASS)
    shown.get_by_label("Your name").fill("Ms Berg")
    shown.get_by_role("button", name="Open").click()
    playwright.expect(shown.locator("#said")).to_contain_text("3 learners")
    yield shown
    context.close()
    assert wrong == []


def pictured(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}-{page.viewport_size['width']}.png"), full_page=True)


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def slate(app: httpx.Client, learner_id: str = LEARNER) -> list[dict[str, Any]]:
    told = app.post("/v1/recommendations", json={"learner_id": learner_id, "class_id": CLASS, "k": 5}).json()
    return list(told["slate"])


def test_each_option_of_each_learner_can_be_opened_to_its_reason(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    rows = page.locator("details.learner")
    assert rows.count() == 3
    row = rows.filter(has_text=LEARNER)
    row.locator("summary").first.click()
    first = slate(app)[0]
    option = row.locator("details").first
    option.locator("summary").click()
    assert first["title"] in option.inner_text()
    assert first["reasons"][0]["text_teacher"] in option.inner_text()
    pictured(page, "open")
    assert fits(page)
    # Typed once: a second look in this tab asks for nothing.
    page.reload()
    playwright.expect(page.locator("#said")).to_contain_text("3 learners")


def test_a_rule_is_previewed_saved_and_undone(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    before = [o["resource_id"] for o in slate(app)]
    save = page.get_by_role("button", name="Save")
    assert save.is_disabled()
    page.get_by_label("What it does").select_option("hide")
    page.get_by_label("Resource").fill(before[0])
    page.get_by_label("Reason").fill("not before the test")
    page.get_by_role("button", name="Preview").click()
    playwright.expect(page.locator("#preview")).to_contain_text("What would change")
    page.locator("#preview details").filter(has_text=LEARNER).locator("summary").click()
    playwright.expect(page.locator("#preview")).to_contain_text("goes: ")
    # What comes is named by its title, though nobody on the page was shown it before.
    assert "m7-" not in page.locator("#preview").inner_text()
    pictured(page, "preview")
    assert fits(page)
    assert [o["resource_id"] for o in slate(app)] == before
    save.click()
    playwright.expect(page.locator("#said")).to_contain_text("Saved")
    playwright.expect(page.locator("#rules")).to_contain_text("not before the test")
    playwright.expect(page.locator("#rules")).to_contain_text("It touches")
    assert before[0] not in [o["resource_id"] for o in slate(app)]
    entry = app.get("/v1/audit", params={"kind": "rule"}).json()["entries"][0]
    assert (entry["action"], entry["author"], entry["reason"]) == ("rule.created", "Ms Berg", "not before the test")
    pictured(page, "saved")
    page.get_by_role("button", name="Undo the last change").click()
    playwright.expect(page.locator("#said")).to_contain_text("Undone")
    playwright.expect(page.locator("#rules")).to_contain_text("None yet")
    assert [o["resource_id"] for o in slate(app)] == before


def test_what_does_not_go_together_is_said_in_words_before_and_while_saving(
    page: Any, desk: tuple[httpx.Client, str]
) -> None:
    app, _ = desk
    resource_id = slate(app)[0]["resource_id"]
    page.get_by_label("What it does").select_option("pin")
    page.get_by_label("Resource").fill(resource_id)
    page.get_by_role("button", name="Preview").click()
    playwright.expect(page.get_by_role("button", name="Save")).to_be_enabled()
    # Somebody else hides it between the look and the word.
    hide = {"id": "other", "verb": "hide", "scope": {"class_id": CLASS}, "what": {"resources": [resource_id]}}
    assert app.post("/v1/rules", json=hide).status_code == 201
    page.get_by_role("button", name="Save").click()
    playwright.expect(page.locator("#preview")).to_contain_text("It was not saved")
    assert page.locator("#preview .box.wrong").count() >= 1
    page.get_by_role("button", name="Preview").click()
    playwright.expect(page.locator("#preview")).to_contain_text("It cannot be saved")
    assert page.get_by_role("button", name="Save").is_disabled()
    pictured(page, "conflict")
    assert fits(page)


@pytest.mark.parametrize("verb", ["require_first", "cap_minutes", "assign"])
def test_each_of_the_common_rules_can_be_written(page: Any, desk: tuple[httpx.Client, str], verb: str) -> None:
    app, _ = desk
    page.get_by_label("What it does").select_option(verb)
    page.get_by_label("For whom").select_option(LEARNER)
    if verb == "require_first":
        page.get_by_label("Skill").fill("m7-frac-1")
    elif verb == "cap_minutes":
        page.get_by_label("Minutes", exact=True).fill("20")
    else:
        page.get_by_label("Resource").fill(slate(app)[-1]["resource_id"])
        page.get_by_label("Due").fill("2099-01-01")
    page.get_by_role("button", name="Preview").click()
    save = page.get_by_role("button", name="Save")
    playwright.expect(save).to_be_enabled()
    save.click()
    playwright.expect(page.locator("#said")).to_contain_text("Saved")
    [rule] = app.get("/v1/rules").json()["rules"]
    assert (rule["verb"], rule["scope"], rule["author"]) == (verb, {"learner_id": LEARNER}, "Ms Berg")


def test_what_waits_is_asked_and_answered(page: Any, desk: tuple[httpx.Client, str]) -> None:
    app, _ = desk
    app.put(f"/v1/approvals/settings/{CLASS}", json={"jump": 0}).raise_for_status()
    app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": ["m7-alg-2"]}).raise_for_status()
    app.post("/v1/recommendations", json={"learner_id": LEARNER, "k": 20}).raise_for_status()
    page.get_by_role("button", name="Open").click()
    playwright.expect(page.locator("#waiting")).to_be_visible()
    mine = page.locator("#approvals > li").filter(has_text=LEARNER)
    if mine.locator("details").get_attribute("open") is None:
        mine.locator("summary").click()
    questions = mine.locator(".question")
    n = questions.count()
    assert n >= 2
    pictured(page, "waiting")
    assert fits(page)
    words = questions.first.locator("p").first.inner_text()
    assert "m7-" not in words
    questions.first.get_by_role("button", name="Approve").click()
    playwright.expect(page.locator("#said")).to_contain_text("Approved")
    playwright.expect(page.locator("#approvals")).not_to_contain_text(words)
    [approved] = app.get("/v1/approvals", params={"state": "approved"}).json()["approvals"]
    assert (approved["words"], approved["author"]) == (words, "Ms Berg")
    mine.get_by_role("button", name="Decline: everything").click()
    playwright.expect(page.locator("#said")).to_contain_text("Declined")
    declined = app.get("/v1/approvals", params={"state": "declined", "learner_id": LEARNER, "limit": 100}).json()
    assert len(declined["approvals"]) == n - 1


def test_a_wrong_key_or_class_is_said_in_words(page: Any) -> None:
    page.get_by_label("Class", exact=True).fill("nobody's")
    page.get_by_role("button", name="Open").click()
    playwright.expect(page.locator("#said.wrong")).to_contain_text("check class_id")
    page.get_by_label("Key").fill("tm_wrong")
    page.get_by_role("button", name="Open").click()
    playwright.expect(page.locator("#said.wrong")).to_contain_text("not a Trailmate key")


def test_it_can_be_read_and_worked_by_everybody(page: Any, desk: tuple[httpx.Client, str]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page.get_by_label("What it does").select_option("cap_minutes")
    page.get_by_role("button", name="Preview").click()
    playwright.expect(page.locator("#preview")).to_contain_text("What would change")
    page.locator("details.learner summary").first.click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == [], scheme
    # The keyboard alone: from the key to the first learner, which Enter closes again.
    page.get_by_label("Key").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details.learner > summary')"):
            break
    was_open = page.locator("details.learner").first.evaluate("one => one.open")
    page.keyboard.press("Enter")
    assert page.locator("details.learner").first.evaluate("one => one.open") != was_open
