"""A world small enough to reckon by hand: three skills in a row; working on what is ready raises it by a third."""

from datetime import UTC, datetime, timedelta

SKILLS = ("one", "two", "three")


class ToyLearner:
    def __init__(self, seed, *, clock, start=0.0):
        self.learner_id, self.goal = f"toy-{seed}", ["two"] if seed % 2 else ["three"]
        self._level = dict.fromkeys(SKILLS, start)
        self._clock, self._now = clock, datetime(2030, 1, 1, tzinfo=UTC)
        self.history = []
        self.steps = []

    @property
    def now(self):
        return self._now if self._clock else None

    def exam(self):
        return sum(self._level[s] for s in self.goal) / len(self.goal)

    def step(self, resource_id):
        self.steps.append(resource_id)
        skill = resource_id.split("-")[0]
        right = float(self._level[skill] > 0.5)
        self._level[skill] += self.rise(resource_id)
        self._now += timedelta(hours=1)
        return (None if resource_id.endswith("film") else right), 60.0

    def rise(self, resource_id):
        skill = resource_id.split("-")[0]
        before = SKILLS[: SKILLS.index(skill)]
        ready = all(self._level[s] > 0.5 for s in before)
        return (1 - self._level[skill]) / 3 if ready else 0.0


class TellingLearner(ToyLearner):
    def gain(self, resource_id):
        skill = resource_id.split("-")[0]
        return self.rise(resource_id) / len(self.goal) if skill in self.goal else 0.0


class ToyWorld:
    def __init__(self, *, clock=True, start=0.0, learner=TellingLearner):
        self._clock, self._start, self._learner = clock, start, learner

    def catalog(self):
        resources = [
            {"resource_id": f"{s}-{f}", "format": f, "skills": [s], "minutes": 1.0, "position": 3 * p + n}
            for p, s in enumerate(SKILLS)
            for n, f in enumerate(("film", "quiz", "text"))
        ]
        skills = [
            {"skill_id": s, "title": s, "prerequisites": [SKILLS[p - 1]] if p else []} for p, s in enumerate(SKILLS)
        ]
        return {"resources": resources, "skills": skills}

    def log(self, n_learners, seed):
        names = [r["resource_id"] for r in self.catalog()["resources"]]
        rows = []
        for n in range(n_learners):
            learner = self._learner(n, clock=self._clock)
            for k in range(12):
                resource_id = names[(seed + 5 * n + k * k) % len(names)]
                at = learner.now
                outcome, seconds = learner.step(resource_id)
                row = {"learner_id": f"log-{n}", "resource_id": resource_id, "outcome": outcome, "order": k}
                rows.append({**row, "at": at, "duration_s": seconds + n} if at else row)
        return rows

    def learner(self, seed):
        return self._learner(seed, clock=self._clock, start=self._start)


def world():
    return ToyWorld()


def without_a_clock():
    return ToyWorld(clock=False)


def all_known():
    return ToyWorld(start=1.0)


def silent():
    return ToyWorld(learner=ToyLearner)


def broken():
    class Broken(ToyLearner):
        def step(self, resource_id):
            raise RuntimeError("out of\nchalk")

    return ToyWorld(learner=Broken)


def no_world():
    return object()
