"""The words of reasons, one template each for the learner and for the teacher; the facts they name are given beside.

A reason carries the name of its phrase and its facts, so an app can say it in another language: translate the templates
here, or by name in the app.
"""

from dataclasses import dataclass

from engine.domain.decision import Reason


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is said to each; fields in braces are facts of the reason's evidence."""

    learner: str
    teacher: str


_COUNTED = "Learners of the {among} who took this up by the last training: {learners:.0f}. The latest count most. "

PHRASES = {
    # Relevance is told against what is usual among what could be shown: more of it speaks for, less of it against. A
    # weight says what goes together once all the rest is accounted for, so no share of learners follows from it: words
    # on shares would be false of many an option. What was counted is said with its count.
    "others_new": Phrase(
        "This is new: nobody here has tried it yet.", "Nobody of the {among} took this up by the last training."
    ),
    "others_like": Phrase(
        "This is new here, and like “{like}”.",
        "Nobody took this up before the last training: until then it counts as what is most like it does, as “{like}”.",
    ),
    "others_one": Phrase("One learner here tried this.", _COUNTED + "This speaks for it."),
    "others_few": Phrase("A few here tried this.", _COUNTED + "This speaks for it."),
    "others_many": Phrase("{learners:.0f} learners here took this up.", _COUNTED + "This speaks for it."),
    "others_past": Phrase(
        "What others here take up speaks for other things more.",
        _COUNTED + "This speaks for it less than for other things.",
    ),
    "course_time_next": Phrase(
        "Earlier classes went on to this at this point of the course.",
        "{learners:.0f} of earlier classes first took this up within four weeks after this day of the course.",
    ),
    "course_time_near": Phrase(
        "Earlier classes did this at about this time of the course.",
        "None of earlier classes first took this up within four weeks after this day of the course, but some near it.",
    ),
    "course_time_other": Phrase(
        "At this point of the course earlier classes turned to other things more.",
        "{learners:.0f} of earlier classes first took this up within four weeks after this day of the course. "
        "Here this counts against it.",
    ),
    "own_work": Phrase(
        "Of what you worked on, {because_of} counted most for this.",
        "Of what this learner took up, {because_of} counted most for it, by what learners take up together once all "
        "else that they took up is accounted for.",
    ),
    "own_work_like": Phrase(
        "It is like “{like}”. Of what you worked on, {because_of} counted most for this.",
        "Of what this learner took up, {because_of} counted most for what is like this, “{like}”, by what learners "
        "take up together once all else that they took up is accounted for.",
    ),
    "own_work_more": Phrase(
        "What you worked on speaks for this more than for other things.",
        "By what learners take up together, what this learner took up speaks for it more than is usual among what "
        "could be shown.",
    ),
    "own_work_less": Phrase(
        "What you worked on speaks for this less than for other things.",
        "By what learners take up together, what this learner took up speaks for it less than is usual among what "
        "could be shown. This counts against it.",
    ),
    "features_more": Phrase(
        "Where you start speaks for this more than for other things.",
        "Nothing is known yet of what this learner takes up. By what learners with the same features take up, this "
        "counts more than is usual among what could be shown.",
    ),
    "features_less": Phrase(
        "Where you start speaks for this less than for other things.",
        "Nothing is known yet of what this learner takes up. By what learners with the same features take up, this "
        "counts less than is usual among what could be shown.",
    ),
    "format_fits": Phrase(
        "Going by what you and your class take up, this way of working fits.",
        "What this learner and class take up speaks for work in this format.",
    ),
    "format_unlike": Phrase(
        "Going by what you and your class take up, other ways of working fit more.",
        "What this learner and class take up speaks for work in this format less than for other formats.",
    ),
    "usual": Phrase(
        "This much counts for everything that you could be shown.",
        "What relevance comes to on average among what could be shown: alike for all, it sets nothing apart.",
    ),
    "gain": Phrase(
        "A good next step on {skill}, about {minutes:.0f} minutes.",
        "Expected gain on {skill}: {gain:.1%} of mastery in about {minutes:.0f} minutes; mastery now {mastery:.0%}, "
        "chance of success {p_success:.0%}.",
    ),
    "gain_lost": Phrase(
        "Right now this would hardly help you with {skill}.",
        "No gain is expected on {skill}, or a loss: mastery now {mastery:.0%}, chance of success {p_success:.0%}. This "
        "counts against it.",
    ),
    "gain_opens": Phrase(
        "It gets you ready for {opens}.",
        "{opens} waits for {skill}: expected gain {gain:.1%} of mastery in about {minutes:.0f} minutes; mastery of "
        "{skill} now {mastery:.0%}.",
    ),
    # A step on what waits by the graph: the plan calls it waiting, so the reason says why it is shown all the same.
    "gain_early": Phrase(
        "You can try {skill} already, about {minutes:.0f} minutes, though {before} is not mastered yet.",
        "Expected gain on {skill}: {gain:.1%} of mastery in about {minutes:.0f} minutes, although {before} is not "
        "mastered yet: the chance that it is within reach is {reach:.0%}; mastery now {mastery:.0%}, chance of success "
        "{p_success:.0%}.",
    ),
    "gain_opens_early": Phrase(
        "It gets you ready for {opens}; you can try it already, though {before} is not mastered yet.",
        "{opens} waits for {skill}: expected gain {gain:.1%} of mastery in about {minutes:.0f} minutes, although "
        "{before} is not mastered yet: the chance that it is within reach is {reach:.0%}; mastery of {skill} now "
        "{mastery:.0%}.",
    ),
    "practice": Phrase(
        "Practice on {skill}, which you have mastered, about {minutes:.0f} minutes.",
        "{skill} counts as mastered ({known:.0%} sure), so this is practice, in case the estimate errs: what it may "
        "still add, some {gain:.1%} of mastery, counts by its share of the most that anything on offer adds a minute.",
    ),
    "challenge_hard": Phrase(
        "This may be hard just now.",
        "The chance of success, {p_success:.0%}, lies below the band from {low:.0%} to {high:.0%}.",
    ),
    "challenge_easy": Phrase(
        "You may find this easy.",
        "The chance of success, {p_success:.0%}, lies above the band from {low:.0%} to {high:.0%}.",
    ),
    "information": Phrase(
        "What you do here helps to find your next steps.",
        "An answer here would tell more about what this learner knows; the chance of success is {p_success:.0%}.",
    ),
    "approach_other": Phrase(
        "Another way in to {skill}.",
        "The last {n:.0f} answers on {skill} were wrong: this leads to it in another way.",
    ),
    "approach_same": Phrase(
        "You tried something like this on {skill} before.",
        "The last {n:.0f} answers on {skill} were wrong; more of the same counts less.",
    ),
    "review": Phrase(
        "It is a good time to look at {skill} again.",
        "A review of {skill} is due: the chance that it is still remembered is about {recall:.0%}. {told}",
    ),
    "check_known": Phrase(
        "You said you know {skill}: show it here.",
        "The learner says they know {skill}; this is the check that was promised.",
    ),
    "check_contested": Phrase(
        "You disagreed about {skill}: here you can show where you stand.",
        "The learner contests the estimate of {skill}; this is the check that was promised.",
    ),
    "style_declared": Phrase(
        "You asked for this format: {format}.",
        "The learner asked for this format: {format}. Formats only break near ties.",
    ),
    "style_observed": Phrase(
        "You choose this format more often than others do: {format}.",
        "The learner chooses this format more often than is usual here: {format}. Formats only break near ties.",
    ),
    "voice_accepted": Phrase("You said yes to this.", "The learner accepted this and has not worked on it yet."),
    "voice_declined": Phrase("You turned this down.", "The learner turned this down a short while ago."),
    "voice_not_now": Phrase("You said: not now.", "The learner said not now; it counts again the next school day."),
    "voice_too_easy": Phrase("You said this is too easy for you.", "The learner said that this is too easy."),
    "voice_too_hard": Phrase("You said this is too hard for you.", "The learner said that this is too hard."),
    "voice_alike": Phrase(
        "You said something like this did not fit.",
        "The learner said of something like this that it was too easy or too hard.",
    ),
    "minutes": Phrase(
        "This takes longer than the minutes you have left today.",
        "It is expected to take about {minutes:.0f} minutes, longer than the learner has left today.",
    ),
    "minutes_declared": Phrase(
        "This takes longer than the minutes you have left today.",
        "It is said to take longer than the minutes the learner has left today.",
    ),
    "repeat": Phrase(
        "You did this a short while ago.", "Done {times:.0f} of the last {of:.0f} times; more of the same counts less."
    ),
    "again": Phrase(
        "You did this before; doing it again is practice.",
        "Done before, and offered again: for a check or a review, with nothing new left, or as easier after failures.",
    ),
    "planned_order": Phrase(
        "This is next in the plan of your course.", "No model is served yet: options follow the planned order."
    ),
    "unplanned": Phrase(
        "This is on offer, too.",
        "No model is served yet, and this has no place in the plan: what has none stands last, in the order of its id.",
    ),
    "variety": Phrase(
        "Here is another way to work, if you like a change.",
        "Put in the last place so that the slate holds more than one format.",
    ),
    "variety_inquiry": Phrase(
        "Here you can find out and make something yourself.",
        "Put in the last place so that the slate holds inquiry or project work.",
    ),
    "pinned": Phrase("Your teacher put this first.", "Put first by the rule “{rule_id}”: {why}."),
    "assigned": Phrase("Your teacher gave you this to do.", "Assigned by the rule “{rule_id}”: {why}."),
    "assigned_due": Phrase(
        "Your teacher gave you this to do by {due}.", "Assigned by the rule “{rule_id}”, due {due}: {why}."
    ),
    "rule_first": Phrase(
        "This comes first for your class just now.", "A rule of yours puts this before what would have been shown else."
    ),
    "rule_boost": Phrase("Your teacher wants more of this just now.", "Raised by the rule “{rule_id}”: {why}."),
    "rule_demote": Phrase("Your teacher wants less of this just now.", "Lowered by the rule “{rule_id}”: {why}."),
    "explored": Phrase(
        "This is about as good a next step as the first.",
        "One of several near ties, drawn with a chance of {chance:.1%} so that it can be learned what works.",
    ),
}


def reason(code: str, phrase: str, contribution: float, **facts: float | str) -> Reason:
    """The reason in the words of a phrase, with its facts as evidence."""
    words = PHRASES[phrase]
    return Reason(
        code=code,
        contribution=contribution,
        text_learner=words.learner.format(**facts),
        text_teacher=words.teacher.format(**facts),
        evidence=dict(facts),
        phrase=phrase,
    )


# What would be different, said to the learner.
WHAT_IF = {
    "opens": "Get this right, and this opens: {skills}.",
    "moves": "Get this right, and the estimate of {skill} goes from {now:.0%} to {then:.0%}.",
    "next": "Then “{title}” would come first.",
    "done": "Once you have done this, “{title}” would come first.",
    "moved": "Without {answer}, this would stand {place}.",
    "gone": "Without {answer}, this would not be among the first {n}.",
}
