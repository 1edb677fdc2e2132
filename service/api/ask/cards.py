"""Cards by the gigabytes on their box and by their maker."""

from __future__ import annotations

from service.api.ask.errors import Misread
from service.api.ask.names import Names
from service.api.ask.scan import Entry

CARD_WORDS = frozenset({"gpu", "vendor", "memory"})


def with_cards(said: list[Entry], names: Names) -> list[Entry]:
    """Cards by the gigabytes on their box or by maker: among the named ones, else of all.

    Raises: Misread where there is none.
    """
    about = [entry for entry in said if entry.name in CARD_WORDS]
    stated = {entry.name for entry in about}
    if stated <= {"gpu"} or stated == {"vendor"}:
        return said
    words = " ".join(dict.fromkeys(entry.word for entry in about))
    pool = [gpu for entry in about if entry.name == "gpu" for gpu in names.gpus.pick(entry.value)]
    pool = pool or [names.gpus.cards.pick(gpu) for ids in names.memory.values() for gpu in ids]
    sizes = {float(entry.value) for entry in about if entry.name == "memory"}
    makers = {entry.value for entry in about if entry.name == "vendor"}
    made = [gpu for gpu in pool if not makers or gpu.vendor.lower() in makers]
    chosen = [gpu.id for gpu in made if not sizes or gpu.memory_label_gb in sizes]
    if stated == {"memory"} and all(size_name(size) in names.gpus.groups for size in sizes):
        chosen = [size_name(size) for size in sorted(sizes)]
    if not chosen:
        have = ", ".join(f"{label:g}" for label in sorted({gpu.memory_label_gb for gpu in made}))
        raise Misread([f"`{words}`: no such card" + (f"; there are {have} GB." if made else ".")])
    rest = [entry for entry in said if entry.name not in CARD_WORDS]
    return [*rest, *(Entry(name="gpu", value=gpu, word=words) for gpu in chosen)]


def size_name(size: float) -> str:
    """The catalog's group of all cards of a size."""
    return f"{size:g}gb"
