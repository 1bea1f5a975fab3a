"use strict";
// Groups made on the page: asked for, changed by hand, kept. Beside the script of the page, whose functions it calls.

// What is being made: what was asked, the options, and which of them is shown. An option holds its groups as they are
// now, what was proposed, and what is said of it; a group that is fixed stays when the rest is made anew.
let making = null;

// What a soft rule counts, for those who would look at the groups.
const COUNTED = {
  avoid_repeat: "pairs that were together lately meet again", balance: "groups are stronger or weaker than the class",
  distribute: "groups have too much of one kind", cluster: "groups have nothing that all share",
  no_one_alone: "groups leave somebody alone", at_least_one: "groups lack somebody who can explain a part",
  friends: "learners are with nobody they named", keep_apart: "pairs to be kept apart are together",
  keep_together: "pairs to be kept together are apart", lock: "learners are not in the group they were put in",
};

async function propose(asked, seed, fixed = []) {
  const absent = fixed.flatMap(({ group }) => group.ids);
  const told = await ask("POST", "/v1/groups", { ...asked, seed, absent, proposals: 3 });
  const out = told.left_out.filter((one) => !absent.includes(one.learner_id) && one.why === "opted_out");
  const notes = [...told.notes, ...out.map((one) => one.learner_id + " chose not to be matched and is in no group.")];
  const options = told.proposals.map((one) => {
    const groups = one.groups.map((g) => ({ ids: [...g.learner_ids], skills: g.skills, task: g.task, words: g.text_teacher, fixed: false }));
    // Whoever stays keeps their place, and the others fill what is left.
    for (const { at, group } of fixed) groups.splice(at, 0, { ...group, ids: [...group.ids] });
    const places = groups.flatMap((group, at) => group.fixed ? [] : [at + 1]);
    const moved = one.rules.filter((rule) => rule.origin === "edits" && rule.broken).length;
    const said = one.rules.filter((rule) => rule.origin !== "edits").flatMap((rule) => ruleWords(rule, places));
    if (moved) said.push(moved === 1 ? "A pair you once put together or apart is not so here." : moved + " pairs you once put together or apart are not so here.");
    return { id: one.grouping_id, groups, proposed: groups.map((g) => [...g.ids]), said: [...said, ...notes] };
  });
  making = { asked, seed, options, at: 0 };
  showProposal("h2");
  $("proposal").scrollIntoView({ block: "start" });
}

function ruleWords(rule, places) {
  if (!rule.broken) return rule.verb === "avoid_repeat" ? ["No pair was together in the last groupings."] : [];
  const where = rule.by_group.flatMap((n, at) => n ? [places[at]] : []);
  const what = rule.rule_ids.length ? named(rule.rule_ids[0]) + ": does not hold" : rule.broken + " of " + rule.of + " " + COUNTED[rule.verb];
  return [what + (!where.length || where.length > 4 ? "." : " (group " + where.join(", ") + ").")];
}

// Hard rules of the class that do not hold as the groups are now.
function clashes(groups) {
  const place = new Map(groups.flatMap((group, at) => group.ids.map((id) => [id, at])));
  return rules.flatMap((rule) => {
    if (rule.strength === "soft" || !["keep_apart", "keep_together"].includes(rule.verb)) return [];
    const at = (rule.what?.learners || []).filter((id) => place.has(id)).map((id) => place.get(id));
    const different = new Set(at).size;
    const holds = rule.verb === "keep_apart" ? different === at.length : different <= 1;
    return holds ? [] : [rule.says + ": does not hold in these groups."];
  });
}

function showProposal(focus = "") {
  $("proposal").hidden = !making;
  if (!making) return;
  const { options, at } = making, option = options[at], wrong = clashes(option.groups);
  const words = option.said.length ? option.said : ["All that was asked for holds."];
  const some = option.groups.some((g) => g.fixed), rest = option.groups.some((g) => !g.fixed);
  const redo = button("Redo the rest", "Make all groups anew but those that stay as they are", redoRest);
  redo.disabled = !some || !rest;
  const keep = button("Keep these groups", "Keep these groups for the class", keepGroups);
  keep.className = "main";
  $("proposal").replaceChildren(titleOf("Groups: proposal " + (at + 1) + " of " + options.length),
    element("ul", "", "small", ...words.map((text) => element("li", text))),
    ...wrong.map((text) => element("p", text, "box wrong")),
    element("div", "", "groups", ...option.groups.map(groupCard)),
    element("div", "", "actions", keep, button("Another proposal", "Show another proposal", another), redo,
      button("Put away", "Put this proposal away", () => { making = null; showProposal(); })));
  if (focus) $("proposal").querySelector(focus)?.focus();
}

function titleOf(text) {
  const made = element("h2", text);
  made.id = "proposal-title";
  made.tabIndex = -1;
  return made;
}

function groupCard(group, at) {
  const stay = document.createElement("input");
  stay.type = "checkbox";
  stay.checked = group.fixed;
  stay.dataset.stay = at;
  stay.addEventListener("change", () => { group.fixed = stay.checked; showProposal(`[data-stay="${at}"]`); });
  const about = [group.words, group.skills.length ? "Ready for " + group.skills.slice(0, 3).map((s) => skills.get(s) || s).join(", ") + "." : "",
    group.task ? "Task: " + group.task.title + " (" + group.task.format + ")." : ""].filter(Boolean);
  const made = element("section", "", "group", element("h3", "Group " + (at + 1)),
    element("label", "", "tick", stay, "Stays as it is"),
    element("ul", "", "list", ...group.ids.map((id) => seat(id, at))), ...about.map((text) => element("p", text, "soft small")));
  made.setAttribute("aria-label", "Group " + (at + 1) + ", " + count(group.ids.length, "learner"));
  made.addEventListener("dragover", (event) => event.preventDefault());
  made.addEventListener("drop", (event) => {
    event.preventDefault();
    move(event.dataTransfer.getData("text/plain"), at);
  });
  return made;
}

// A learner in a group: dragged to another, or put there with the list, which the keyboard reaches.
function seat(id, at) {
  const where = document.createElement("select"), { groups } = making.options[making.at];
  where.setAttribute("aria-label", "Group of " + id);
  where.dataset.seat = id;
  for (let n = 0; n <= groups.length; n += 1) {
    where.append(new Option(n < groups.length ? "Group " + (n + 1) : "A new group", n, false, n === at));
  }
  where.addEventListener("change", () => move(id, Number(where.value)));
  const made = element("li", "", "seat", element("span", id), where);
  made.draggable = true;
  made.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", id));
  return made;
}

function move(id, to) {
  const { groups } = making.options[making.at], from = groups.find((group) => group.ids.includes(id));
  if (!from) return;
  if (to === groups.length) groups.push({ ids: [], skills: [], task: null, words: "", fixed: false });
  from.ids = from.ids.filter((other) => other !== id);
  groups[to].ids = [...groups[to].ids, id].sort();
  say(id + " is in group " + (to + 1) + " now.");
  showProposal(`[data-seat="${CSS.escape(id)}"]`);
}

const stays = (groups) => groups.flatMap((group, at) => group.fixed && group.ids.length ? [{ at, group }] : []);

async function another() {
  const fixed = stays(making.options[making.at].groups);
  if (making.at + 1 < making.options.length && !fixed.length) { making.at += 1; showProposal("h2"); return; }
  await propose(making.asked, making.seed + 1, fixed);
}

async function redoRest() {
  await propose(making.asked, making.seed + 1, stays(making.options[making.at].groups));
  say("The rest was made anew.");
}

async function keepGroups() {
  const option = making.options[making.at], filled = option.groups.filter((group) => group.ids.length);
  const groups = filled.map(({ ids, task }) => ({ learner_ids: ids, ...(task ? { resource_id: task.resource_id, title: task.title } : {}) }));
  const kept = await ask("PUT", "/v1/groups/" + encodeURIComponent(option.id),
    { class_id: making.asked.class_id, mode: making.asked.mode, groups, proposed: option.proposed });
  making = null;
  await showTogether();
  const notes = kept.notes.map((text) => inNames(text, kept.groups));
  $("proposal").hidden = !notes.length;
  $("proposal").replaceChildren(titleOf("Kept, and to look at"), ...notes.map((text) => element("p", text, "box wrong")));
  const next = notes.length ? $("proposal-title") : $("together-title");
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "start" });
  say("Kept. The next proposals avoid these pairs.");
}

// The doors name places; a teacher reads who and which group.
function inNames(text, groups) {
  return text.replace(/groups\[(\d+)\]\.learner_ids\[(\d+)\]/g, (_, n, m) => groups[n].learner_ids[m])
    .replace(/groups\[(\d+)\]/g, (_, n) => "group " + (Number(n) + 1));
}

// What stands in Together beside the groups: two apart or together, and whether contact waits.
function showPairing() {
  for (const [name, at] of [["one", 0], ["other", 1]]) {
    const before = $(name).value;
    $(name).replaceChildren(...decisions.map((one) => new Option(one.learner_id, one.learner_id)));
    $(name).selectedIndex = Math.max(decisions.findIndex((one) => one.learner_id === before), Math.min(at, decisions.length - 1));
  }
  $("contact").checked = contactRules().length > 0;
}

const contactRules = () => rules.filter((rule) => rule.verb === "approve_contact" && rule.scope.class_id === $("class").value
  && !rule.what?.learners?.length);

const newRule = (verb, more) => ({ id: verb + "-" + Math.random().toString(36).slice(2, 8), verb,
  scope: { class_id: $("class").value }, ...($("author").value ? { author: $("author").value } : {}), ...more });

async function pair() {
  if ($("one").value === $("other").value) { say("Choose two different learners.", true); return; }
  const more = { what: { learners: [$("one").value, $("other").value] } };
  if ($("pair-until").value) more.until = $("pair-until").value;
  if ($("pair-why").value) more.reason = $("pair-why").value;
  await ask("POST", "/v1/rules", newRule($("how").value, more));
  $("pair-why").value = "";
  await open("It is a rule now, for groups and peers. ");
}

async function contact() {
  if ($("contact").checked) await ask("POST", "/v1/rules", newRule("approve_contact", {}));
  else for (const rule of contactRules()) await ask("DELETE", rule.door + encodeURIComponent(rule.id), undefined, { "If-Match": '"' + rule.version + '"' });
  await open($("contact").checked ? "You are asked before contact now. " : "Contact waits for nobody now. ");
}

const told = (act) => async (event) => {
  event?.preventDefault();
  try { await act(); } catch (problem) { say([problem.message, ...(problem.problems || []).map((p) => p.words)].join(" "), true); }
};
$("make").addEventListener("submit", told(async () => {
  const size = $("size").value.trim(), asked = { class_id: $("class").value, mode: $("mode").value };
  if (size) asked.size = /^\d+$/.test(size) ? Number(size) : size.replace(/\s|–/g, (x) => x === "–" ? "-" : "");
  say("Making groups …");
  await propose(asked, making && JSON.stringify(making.asked) === JSON.stringify(asked) ? making.seed + 1 : 0);
  say("Move whom you like; nothing is kept yet.");
}));
$("pair").addEventListener("submit", told(pair));
$("contact").addEventListener("change", told(contact));
