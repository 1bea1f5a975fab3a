"""Slates and rules as they stood in a row before revision 0009; what stands so already stays."""

import json


def slots_in_full(text: str) -> str:
    """What was offered, written out."""
    told = json.loads(text)
    if isinstance(told, list):
        return text
    of = told["of"]
    full = []
    for slot, place, propensity, origin, ties, chances in told["slots"]:
        near = [
            {"resource_id": of[p][0], "score": of[p][1], "propensity": chances[i] if i < len(chances) else 0.0}
            for i, p in enumerate(ties)
        ]
        full.append([slot, *of[place], propensity, origin, near])
    return json.dumps(full)


def rules_in_full(text: str) -> str:
    """The rules that touched a decision, written out."""
    told = json.loads(text)
    if isinstance(told, list):
        return text
    return json.dumps(
        [
            {"rule_id": x, "held": held, "effect": effect, "verb": verb}
            for held, effect, verb, rule_ids in told["alike"]
            for x in rule_ids
        ]
    )
