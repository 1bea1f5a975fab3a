"""How long peers for one learner take in a school of 2,000, and a first grouping of a class of 30 does."""

import time

import numpy as np

from engine.collaborators.affinity import USUAL, standing_of
from engine.collaborators.contacts import DAY_US, HELPED, Contacts, contacts_from
from engine.collaborators.crowd import Crowd, Person, abilities_of, crowd_of
from engine.collaborators.peer_tasks import peer_tasks, teaching_of
from engine.collaborators.peer_words import reasons_of
from engine.collaborators.peers import Wish, peers_for
from engine.collaborators.safeguards import allowed
from engine.domain.resource import Resource
from engine.learner.preferences import Preferences
from engine.rules.people import People

NOBODY = People(apart=(), together=(), locks=(), company=(), size=None, helping={}, approval={}, conflict=())
_NOW_US = 20_000 * DAY_US
_FORMATS = ("video", "exercise", "project", "discussion", "reading")


def school(n: int, *, n_skills: int = 80, n_contacts: int = 10_000, seed: int = 0) -> tuple[Crowd, Contacts]:
    """An invented school of `n` in classes of about 28, and what happened between its learners."""
    rng = np.random.default_rng(seed)
    people = [
        Person(
            learner_id=f"l{i:05d}",
            class_ids=(f"c{i // 28:03d}",),
            features=(f"grade:{5 + i // 28 % 6}",),
            preferences=Preferences(formats=(_FORMATS[i % 5],)),
        )
        for i in range(n)
    ]
    shape = (n, n_skills)
    abilities = abilities_of(
        tuple(f"s{k}" for k in range(n_skills)),
        rng.beta(2, 1, shape),
        rng.integers(0, 20, shape),
        rng.random(shape) < 0.8,
    )
    lines = [
        (int(a), int(b), _NOW_US - int(t) * DAY_US, HELPED, float("nan"))
        for a, b, t in zip(*rng.integers(0, n, (2, n_contacts)), rng.integers(0, 90, n_contacts), strict=True)
        if a != b
    ]
    return crowd_of(people, abilities, {}), contacts_from(n, lines)


def peers_speed(n: int = 2_000, *, times: int = 200) -> str:
    """Processor time of so many learners, class and school scope: a table in Markdown."""
    rows = ["| learners in the school | scope | median ms | 95 of 100 within, ms |", "|--:|--|--:|--:|"]
    resources = [
        Resource(resource_id=f"r{i}", title=f"R{i}", format=_FORMATS[i % 5], skills=(f"s{i % 80}",), position=i)
        for i in range(1_000)
    ]
    teaching = teaching_of(resources)
    crowd, contacts = school(n)
    at = standing_of(contacts, _NOW_US)
    for whole in (False, True):
        took = []
        for row in np.random.default_rng(1).integers(0, n, times):
            began = time.process_time()
            may = allowed(crowd, int(row), NOBODY, contacts, now_us=_NOW_US, whole_school=whole, standing=at)
            found = peers_for(
                crowd, int(row), Wish(), allowed=may, contacts=contacts, affinity=USUAL, now_us=_NOW_US, standing=at
            )
            peer_tasks(crowd, int(row), found, teaching)
            for peer in found:
                reasons_of(crowd, int(row), peer, likely=0.5)
            took.append((time.process_time() - began) * 1e3)
        middle, most = np.quantile(took, [0.5, 0.95])
        rows.append(f"| {n:,} | {'school' if whole else 'class'} | {middle:.2f} | {most:.2f} |")
    return "\n".join(rows)
