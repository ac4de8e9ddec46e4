"""What a relation and its columns mean, as its header says: ours and a user's own."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from hem_etl.errors import UsageError
from hem_etl.warehouse import Model, load_own, packaged_models


@dataclass(frozen=True, slots=True)
class Meaning:
    """A relation, what it is made from, and what is made from it: one step each way."""

    model: Model
    reads: tuple[str, ...]
    read_by: tuple[str, ...]


def read_meanings(own: Path | None) -> dict[str, Meaning]:
    """By name, of every relation and table function; marts first, then a user's own (the folder), then what is behind.

    Raises ModelError where the folder holds what is no model.
    """
    ours = packaged_models()
    models = [*ours.tables, *ours.built, *(load_own(own, ours).models if own is not None else ())]
    order = {"marts": 0, "own": 1, "core": 2, "staging": 3}
    models.sort(key=lambda model: (order[model.schema], model.name))
    return {
        model.relation: Meaning(
            model,
            model.references,
            tuple(other.relation for other in models if model.relation in other.references),
        )
        for model in models
    }


def meaning_of(name: str, meanings: dict[str, Meaning]) -> Meaning:
    """Of a relation by its whole name, or by what stands after the point where only one has it. UsageError else."""
    found = [each for relation, each in meanings.items() if name in (relation, relation.partition(".")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{name!r} is {' and '.join(each.model.relation for each in found)}: give the whole name")
    spelt = {spelling: relation for relation in meanings for spelling in (relation.partition(".")[2], relation)}
    alike = get_close_matches(name, spelt, n=1)
    meant = f" (did you mean {spelt[alike[0]]}?)" if alike else ""
    raise UsageError(f"no relation {name!r}{meant}: `hem-etl dictionary` lists them")
