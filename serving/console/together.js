"use strict";
// What waits for the teacher, and who learns with whom; beside the script of the page, whose functions it calls.
const SHOWN = 3;
// Rules about people: they say nothing of what a learner gets next.
const PEOPLE = ["keep_apart", "keep_together", "no_one_alone", "lock", "group_size", "helper_limit", "approve_contact"];

// One entry for each learner, the first few at once: many small questions must not push the class down the page.
function showApprovals(approvals) {
  const by = new Map();
  for (const one of approvals) by.set(one.learner_id, [...(by.get(one.learner_id) || []), one]);
  const opened = new Set([...$("approvals").querySelectorAll("details[open]")].map((one) => one.dataset.of));
  // By id, as the class stands below: what is left of an entry stays where it was.
  const items = [...by.keys()].sort().map((id) => waitingItem(id, by.get(id)));
  const rest = items.splice(SHOWN);
  if (rest.length) {
    const more = element("details", "", "", element("summary", "Show all: " + count(rest.length, "more learner")),
      element("ul", "", "list", ...rest));
    more.dataset.of = "";
    items.push(element("li", "", "", more));
  }
  $("waiting").hidden = !approvals.length;
  $("approvals").replaceChildren(...items);
  for (const one of $("approvals").querySelectorAll("details")) one.open = by.size === 1 || opened.has(one.dataset.of);
}

// What answers everything at once stands below the questions it answers.
function waitingItem(id, own) {
  const whole = own.length === 1 ? [] : [answers(own, "all " + own.length, "everything that waits for " + id)];
  const made = element("details", "", "", element("summary", "", "", element("strong", id), " ",
    element("span", count(own.length, "question"), "small")), ...own.map(question), ...whole);
  made.dataset.of = id;
  return element("li", "", "", made);
}

function question(one) {
  const until = "Until " + dayOf(one.until) + "; unanswered it does not happen.";
  return element("div", "", "question", element("p", one.words), element("p", until, "soft small"), answers([one], "", one.words));
}

function answers(questions, which, words) {
  const answer = (decision, past) => async () => {
    const told = { decision, author: $("author").value || null };
    for (const one of questions) await ask("POST", "/v1/approvals/" + one.approval_id, told);
    await open(past + " ");
  };
  return element("div", "", "actions",
    button(("Approve " + which).trim(), "Approve: " + words, answer("approve", "Approved.")),
    button(("Decline " + which).trim(), "Decline: " + words, answer("decline", "Declined.")));
}

// A day as the browser's language writes it, the month as a word; of a mere date the day it names, wherever one is.
function dayOf(told) {
  const at = new Date(/^\d{4}-\d\d-\d\d$/.test(told) ? told + "T12:00" : told);
  return at.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

// Who made a rule without a name is known by the id of their key alone, which says nothing to a teacher.
const byWhom = (author) => "by " + (/^[0-9a-f]{12}$/.test(author) ? "a key of the school's app" : author);

// Who had nobody lately, the groups that were kept last, and how it was over the weeks.
async function showTogether() {
  const address = "/v1/groups?limit=12&class_id=" + encodeURIComponent($("class").value);
  let told;
  try { told = await ask("GET", address); } catch (problem) {
    $("together").replaceChildren(element("p", problem.message, "wrong"));
    return;
  }
  $("together").replaceChildren(...aloneLately(told), ...lastGroups(told.groupings), ...overTime(told));
}

function aloneLately({ alone, alone_by_choice: chose }) {
  const own = chose.length ? [element("p", "By their own choice, so there is nothing to do: " + chose.join(", ") + ".", "soft small")] : [];
  if (alone === null) return [element("p", "Too little is told of who learned with whom to say who is alone.", "soft")];
  if (!alone.length) return [element("p", "Nobody was left alone in the last four weeks.", "soft"), ...own];
  return [element("p", "Alone for four weeks, while most had somebody:"),
    element("ul", "", "", ...alone.map((id) => element("li", "", "", element("strong", id)))),
    element("p", "Only you see this, no pupil does.", "soft small"), ...own];
}

function lastGroups([last]) {
  if (!last) return [element("p", "No groups are kept for this class yet.", "soft")];
  return [element("h3", "Groups of " + dayOf(last.at)), ...last.groups.map((one) => {
    const about = one.title || (one.resource_id ? titled(one.resource_id) : "");
    return element("details", "", "", element("summary", "", "", element("strong", "Group " + one.group), " ",
      element("span", count(one.learner_ids.length, "learner"), "small")),
      element("ul", "", "small", ...one.learner_ids.map((id) => element("li", id))),
      ...(about ? [element("p", about, "soft small")] : []));
  }), element("p", last.repeats + " of " + count(last.pairs, "pair") + " met in one of the three groupings before.", "soft small"),
  element("div", "", "actions", button("Take these back", "Take back the groups of " + dayOf(last.at), async () => {
    await ask("DELETE", "/v1/groups/" + encodeURIComponent(last.grouping_id), undefined,
      last.etag ? { "If-Match": last.etag } : {});
    await showTogether();
    say("Taken back, as if they had not been kept.");
  }))];
}

// How often pairs met again, and how helping is spread, folded: it is for a look now and then.
function overTime({ groupings, repeat_rate: rate, helper_loads: loads }) {
  const most = Object.entries(loads).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (!groupings.length && !most.length) return [];
  const helped = most.length ? "Helped so far: " + most.map(([id, n]) => id + " " + n).join(", ") + "." : "Nobody is known to have helped yet.";
  return [element("details", "", "small", element("summary", "Over the weeks"),
    element("p", Math.round(100 * rate) + " % of pairs met again within three groupings."),
    element("ul", "", "", ...groupings.map((one) => element("li", dayOf(one.at) + ": " + one.repeats + " of " + count(one.pairs, "pair") + " again"))),
    element("p", helped))];
}
