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
  const until = "Until " + new Date(one.until).toLocaleDateString() + "; unanswered it does not happen.";
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

// Who had nobody lately, and the groups that were kept last.
async function showTogether() {
  const address = "/v1/groups?limit=1&class_id=" + encodeURIComponent($("class").value);
  let told;
  try { told = await ask("GET", address); } catch (problem) {
    $("together").replaceChildren(element("p", problem.message, "wrong"));
    return;
  }
  $("together").replaceChildren(...aloneLately(told.alone), ...lastGroups(told.groupings));
}

function aloneLately(alone) {
  if (alone === null) return [element("p", "Too little is told of who learned with whom to say who is alone.", "soft")];
  if (!alone.length) return [element("p", "Nobody was left alone in the last four weeks.", "soft")];
  return [element("p", "Alone for four weeks, while most had somebody:"),
    element("ul", "", "", ...alone.map((id) => element("li", "", "", element("strong", id)))),
    element("p", "Only you see this, no pupil does.", "soft small")];
}

function lastGroups([last]) {
  if (!last) return [element("p", "No groups are kept for this class yet.", "soft")];
  return [element("h3", "Groups of " + new Date(last.at).toLocaleDateString()), ...last.groups.map((one) => {
    const about = one.title || (one.resource_id ? titled(one.resource_id) : "");
    return element("details", "", "", element("summary", "", "", element("strong", "Group " + one.group), " ",
      element("span", count(one.learner_ids.length, "learner"), "small")),
      element("ul", "", "small", ...one.learner_ids.map((id) => element("li", id))),
      ...(about ? [element("p", about, "soft small")] : []));
  })];
}
