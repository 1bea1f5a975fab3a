"""What an estimate stands on, in a teacher's and in a learner's words."""

from datetime import UTC, datetime, timedelta

from engine.learner.mastery import Evidence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
# So many of the last answers are spoken of: what was long ago says little of today.
_SPOKEN = 5


def teacher_text(evidence: Evidence, title: str, now_us: int) -> str:
    """For example: 4 of the last 5 on equivalent fractions right, last on Tuesday."""
    if not evidence.n:
        return f"No answer on {title} yet{_looked(evidence, now_us)}."
    right, of = _counted(evidence)
    if evidence.n == 1:
        return f"The only answer on {title} was {'right' if right else 'wrong'}{_when(evidence, now_us, ', ')}."
    return f"{right} of {_the_last(evidence, of)} on {title} right{_when(evidence, now_us)}."


def facts_of(evidence: Evidence) -> dict[str, float | str]:
    """The facts that `teacher_text` names: of all `answers` the last `of`, how many of these were `right`, how often it
    was `seen` without an answer, and the moment of the last of all, `last_at`, where the log has a clock.
    """
    right, of = _counted(evidence)
    facts: dict[str, float | str] = {
        "answers": float(evidence.n), "of": float(of), "right": float(right), "seen": float(evidence.seen)
    }  # fmt: skip
    if evidence.last_us is not None:
        facts["last_at"] = time_of(evidence.last_us)
    return facts


def learner_text(evidence: Evidence, title: str, now_us: int) -> str:
    """For example: You got 4 of your last 5 on equivalent fractions right, last on Tuesday."""
    if not evidence.n:
        return f"You have not answered anything on {title} yet."
    right, of = _counted(evidence)
    if evidence.n == 1:
        told = f"You got your first one on {title} right" if right else f"You tried {title} once"
        return f"{told}{_when(evidence, now_us, ', ')}."
    of_yours = f"your last {of}" if evidence.n > of else f"your {of}"
    return f"You got {right} of {of_yours} on {title} right{_when(evidence, now_us)}."


def time_of(at_us: int) -> str:
    """The moment as ISO 8601 in UTC."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")


def day_of(at_us: int, now_us: int) -> str:
    """The day as people say it: today, yesterday, on Tuesday, on 3 March, on 3 March 2025; days are those of UTC."""
    then, now = (_EPOCH + timedelta(microseconds=us) for us in (at_us, now_us))
    days = (now.date() - then.date()).days
    if days <= 1:
        return "yesterday" if days == 1 else "today"
    if days < 7:
        return f"on {_DAYS[then.weekday()]}"
    year = "" if then.year == now.year else f" {then.year}"
    return f"on {then.day} {_MONTHS[then.month - 1]}{year}"


def _counted(evidence: Evidence) -> tuple[int, int]:
    spoken = evidence.last[:_SPOKEN]
    return sum(spoken), len(spoken)


def _the_last(evidence: Evidence, of: int) -> str:
    return f"the last {of}" if evidence.n > of else f"{of} answers"


def _looked(evidence: Evidence, now_us: int) -> str:
    times = "once" if evidence.seen == 1 else f"{evidence.seen} times"
    return f", looked at {times}{_when(evidence, now_us)}" if evidence.seen else ""


def _when(evidence: Evidence, now_us: int, before: str = ", last ") -> str:
    """Nothing where the log has no clock."""
    return "" if evidence.last_us is None else f"{before}{day_of(evidence.last_us, now_us)}"
