"use strict";
// The class, its rules and their preview; what is beside it stands in together.js and groups.js.
const $ = (id) => document.getElementById(id);
const K = 5;
const titles = new Map(), skills = new Map(), formats = new Set();
let decisions = [], rules = [], draft = null;

// The key may come behind the #, which a browser never sends; then it stays in this tab alone.
const given = new URLSearchParams(location.hash.slice(1));
for (const name of ["key", "class", "author"]) {
  $(name).value = given.get(name) || sessionStorage.getItem("trailmate-" + name) || "";
}
if (given.has("key")) history.replaceState(null, "", location.pathname);

// News stays in sight for a while, what is always so does not.
let quiet = 0;
function say(text, wrong = false, news = true) {
  $("said").textContent = text;
  $("said").classList.toggle("wrong", wrong);
  $("said").classList.toggle("news", news);
  clearTimeout(quiet);
  if (news && !wrong) quiet = setTimeout(() => $("said").classList.remove("news"), 6000);
}

async function ask(method, path, body, more = {}) {
  const headers = { "Authorization": "Bearer " + $("key").value.trim(), "Content-Type": "application/json", ...more };
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json();
  if (response.ok) return answer;
  const problem = new Error(answer.detail || "the server answered " + response.status);
  problem.problems = answer.problems || [];
  throw problem;
}

// Each page of a list, whatever it is called.
async function all(path, name) {
  const found = [];
  for (let cursor = null; ;) {
    const page = await ask("GET", path + (cursor ? "&cursor=" + encodeURIComponent(cursor) : ""));
    found.push(...page[name]);
    cursor = page.next_cursor;
    if (!cursor) return found;
  }
}

function element(name, text = "", className = "", ...inside) {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  made.append(...inside);
  return made;
}

function button(text, label, act) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try { await act(); } catch (problem) { say(problem.message, true); } finally { made.disabled = false; }
  });
  return made;
}

const titled = (id) => titles.get(id) || id;
const count = (n, one, many = one + "s") => n + " " + (n === 1 ? one : many);
const minutesOf = (n) => n === null ? "" : "about " + Math.max(1, Math.round(n)) + " min";

async function open(after = "") {
  const asked = encodeURIComponent($("class").value);
  const listed = "/v1/rules?in_force=true&limit=200", changes = "/v1/overrides?in_force=true&limit=200";
  const whole = await ask("POST", "/v1/recommendations/batch", { class_id: $("class").value, k: K });
  const [kept, overrides, approvals] = await Promise.all([all(listed, "rules"), all(changes, "overrides"),
    // Asked last: the look at the class may have put new questions.
    all("/v1/approvals?state=waiting&limit=200&class_id=" + asked, "approvals")]);
  decisions = whole.decisions;
  const here = new Set(decisions.map((one) => one.learner_id));
  const mine = (scope) => !Object.keys(scope).length || scope.class_id === $("class").value || here.has(scope.learner_id)
    || scope.group_id !== undefined;
  rules = [...kept.map((r) => ({ ...r, door: "/v1/rules/", ids: [r.id] })),
    ...overrides.map((o) => ({ ...o, id: o.override_id, door: "/v1/overrides/", ids: o.rule_ids }))]
    .filter((rule) => mine(rule.scope));
  for (const one of decisions) {
    for (const option of one.slate) { titles.set(option.resource_id, option.title); formats.add(option.format); }
  }
  for (const one of approvals) if (one.title) titles.set(one.subject_id, one.title);
  $("desk").hidden = false;
  showApprovals(approvals);
  $("learners").replaceChildren(...decisions.map(learner));
  $("rules").replaceChildren(...(rules.length ? rules.map(ruleItem) : [element("li", "None yet.", "soft")]));
  showPairing();
  await Promise.all([showWhom(), showTogether()]);
  const few = decisions.filter((one) => one.slate.length < 3).length;
  say(after + count(decisions.length, "learner") + (few ? ", " + few + " with fewer than three options." : "."), false, Boolean(after));
}

function learner(one) {
  const made = element("details", "", "learner");
  const summary = element("summary", "", "", element("strong", one.learner_id), " ",
    element("span", one.slate.slice(0, 3).map((option) => option.title).join(" · ") || "Nothing", "small"));
  for (const text of [one.slate.length < 3 ? count(one.slate.length, "option") : "", one.flags.length ? "note" : "",
    one.conflict.length ? "conflict" : ""].filter(Boolean)) {
    summary.append(" ", element("span", text, "badge word"));
  }
  made.append(summary);
  if (one.message) made.append(element("p", one.message, one.conflict.length ? "box wrong" : "soft"));
  for (const flag of one.flags) made.append(element("p", flag.text_teacher, "wrong small"));
  made.append(...one.slate.map(optionItem));
  const touched = one.rules.map((r) => element("li", named(r.rule_id) + (r.held ? " held: " : " did not hold: ") + r.effect));
  if (touched.length) made.append(element("h3", "Rules"), element("ul", "", "small", ...touched));
  made.append(element("p", "Mode: " + one.mode, "soft small"));
  return made;
}

function optionItem(option) {
  const summary = element("summary", option.rank + ". " + option.title + " ");
  if (option.status !== "recommended" || option.origin !== "model") {
    summary.append(element("span", option.status === "recommended" ? option.origin : option.status, "badge word"));
  }
  const chance = option.p_success === null ? "" : Math.round(100 * option.p_success) + " % chance of success";
  const due = option.due ? "due " + dayOf(option.due) : "";
  const facts = [option.format, minutesOf(option.expected_minutes), chance, due].filter(Boolean).join(" · ");
  return element("details", "", "", summary, element("p", facts, "soft small"),
    element("ul", "", "small", ...option.reasons.map((reason) => element("li", reason.text_teacher))));
}

function named(id) {
  const rule = rules.find((one) => one.ids.includes(id));
  return rule ? rule.says : id;
}

function ruleItem(rule) {
  const touched = decisions.flatMap((one) => one.rules.filter((r) => rule.ids.includes(r.rule_id))
    .map((r) => ({ ...r, learner_id: one.learner_id })));
  const missed = touched.filter((r) => !r.held).length;
  const words = !touched.length ? "It touches nobody's options just now."
    : "It touches " + count(touched.length, "learner") + (missed ? "; for " + missed + " it could not hold." : " and holds.");
  const effects = PEOPLE.includes(rule.verb)
    ? element("p", "It binds groups and peers, not what learners get next.", "soft small")
    : element("details", "", "small", element("summary", words, missed ? "wrong" : ""),
    element("ul", "", "", ...touched.map((r) => element("li", r.learner_id + ": " + (r.held ? "" : "did not hold, ") + r.effect))));
  const address = rule.door + encodeURIComponent(rule.id), seen = { "If-Match": '"' + rule.version + '"' };
  const about = [rule.reason, byWhom(rule.author), rule.until ? "until " + dayOf(rule.until) : "", rule.strength === "soft" ? "a wish" : ""];
  return element("li", "", "", element("p", rule.says), element("p", about.filter(Boolean).join(" · "), "soft small"), effects,
    element("div", "", "actions",
      button("Undo last change", "Undo the last change of: " + rule.says, async () => {
        await ask("POST", address + "/undo", undefined, seen);
        await open("Undone. ");
      }),
      button("End now", "End now: " + rule.says, async () => {
        await ask("DELETE", address, undefined, seen);
        await open("Ended. ");
      })));
}

async function showWhom() {
  const before = $("whom").value;
  const option = (text, value) => { const made = element("option", text); made.value = value; return made; };
  $("whom").replaceChildren(option("The whole class", ""), ...decisions.map((one) => option(one.learner_id, one.learner_id)));
  if (decisions.some((one) => one.learner_id === before)) $("whom").value = before;
  if (!skills.size && decisions.length) {
    try {
      const known = await ask("GET", "/v1/learners/" + encodeURIComponent(decisions[0].learner_id));
      for (const skill of known.skills) skills.set(skill.skill_id, skill.title);
    } catch { /* A key without the scope `read` still writes skills by hand. */ }
  }
  shape();
}

// Fields that this rule takes, and what is known to fill them with.
function shape() {
  const verb = $("verb").value, kind = kindOf();
  for (const field of document.querySelectorAll("[data-for]")) field.hidden = !field.dataset.for.split(" ").includes(verb);
  $("what-label").textContent = { resources: "Resource", skills: "Skill", formats: "Format", tags: "Tag" }[kind];
  $("what").required = verb !== "cap_minutes";
  const known = { resources: [...titles], skills: [...skills], formats: [...formats].map((f) => [f, f]), tags: [] }[kind];
  $("known").replaceChildren(...known.map(([id, title]) => {
    const made = element("option", title);
    made.value = id;
    return made;
  }));
  stale();
}

const kindOf = () => ({ require_first: "skills", hide: $("kind").value }[$("verb").value] || "resources");

function stale() {
  draft = null;
  $("save").disabled = true;
  $("preview").replaceChildren();
}

function written() {
  const verb = $("verb").value, what = $("what").value.trim();
  const name = [verb, what, Math.random().toString(36).slice(2, 8)].filter(Boolean).join("-").slice(0, 120);
  const rule = { id: name, verb, scope: $("whom").value ? { learner_id: $("whom").value } : { class_id: $("class").value } };
  if (verb === "cap_minutes") rule.value = { [$("per").value]: Number($("minutes").value) };
  else rule.what = { [kindOf()]: [what] };
  if (verb === "assign" && $("due").value) rule.value = { due: $("due").value };
  for (const field of ["until", "reason", "author"]) if ($(field).value) rule[field] = $(field).value;
  return rule;
}

const said = (problems) => problems.map((p) => element("p", p.words, "box wrong"));

function changeItem(change) {
  const parts = [["leaves", "goes"], ["enters", "comes"]].filter(([name]) => change[name].length)
    .map(([name, word]) => element("li", word + ": " + change[name].map(titled).join(", ")));
  const moves = change.moves.map((m) => element("li", titled(m.resource_id) + ": from place " + m.rank_before + " to " + m.rank_after));
  const summary = element("summary", "", "", element("strong", change.learner_id), " ");
  if (change.few) summary.append(element("span", change.n_after ? "only " + count(change.n_after, "option") + " left" : "nothing left", "badge word"));
  const inside = [...parts, ...moves];
  return element("details", "", "", summary,
    element("ul", "", "small", ...(inside.length ? inside : [element("li", "nothing changes")])),
    ...(change.message ? [element("p", change.message, "wrong small")] : []));
}

async function look() {
  stale();
  const rule = written();
  try {
    const found = await ask("POST", "/v1/rules/preview", { rule, k: K });
    for (const [id, title] of Object.entries(found.titles)) titles.set(id, title);
    const shown = found.changes.filter((c) => c.few || c.leaves.length || c.enters.length || c.moves.length);
    $("preview").replaceChildren(element("h3", found.refused ? "It cannot be saved" : "What would change"),
      ...said(found.problems), element("p", found.summary), ...shown.map(changeItem));
    draft = found.refused ? null : rule;
    $("save").disabled = found.refused;
  } catch (problem) {
    $("preview").replaceChildren(element("h3", "It cannot be saved"),
      ...(problem.problems?.length ? said(problem.problems) : [element("p", problem.message, "box wrong")]));
  }
}

async function save() {
  try {
    await ask("POST", "/v1/rules", draft);
    stale();
    await open("Saved, and in force from the next answer on. ");
  } catch (problem) {
    stale();
    $("preview").replaceChildren(element("h3", "It was not saved"),
      ...(problem.problems?.length ? said(problem.problems) : [element("p", problem.message, "box wrong")]));
  }
}

$("open").addEventListener("submit", async (event) => {
  event.preventDefault();
  for (const name of ["key", "class", "author"]) sessionStorage.setItem("trailmate-" + name, $(name).value.trim());
  skills.clear();
  making = null;
  showProposal();
  say("Looking …");
  try { await open(); } catch (problem) { say(problem.message, true); }
});
$("rule").addEventListener("submit", (event) => { event.preventDefault(); look(); });
$("save").addEventListener("click", save);
$("verb").addEventListener("change", shape);
$("kind").addEventListener("change", shape);
$("rule").addEventListener("input", stale);
// Once all scripts are there.
addEventListener("DOMContentLoaded", () => { if ($("key").value && $("class").value) $("open").requestSubmit(); });
