"""How words are read: each reader looks at the place a line is read to, and takes what it knows."""

from __future__ import annotations

import re
from collections.abc import Callable

from service.api.ask.errors import MOST
from service.api.ask.measures import MEASURE, SCALED, measured, times
from service.api.ask.names import UNSPACED, Meaning, Names
from service.api.ask.scan import Scan, is_keyed, split_counts
from service.api.ask.tokens import Token
from service.api.ask.values import is_numeric, readable, said_by
from service.api.ask.words import BARE_KEYS, KEYS, NAMED, NOUNS, PHRASES, SINGLE_WORDS, SMALL

WINDOW = 7
LISTED = 5
OF = {"of", "with"}
HUB_ID = re.compile(
    r"[a-z][a-z0-9_.-]{1,95}/[a-z0-9][a-z0-9_.-]{0,95}(?:/[a-z0-9_.-]{1,95})?", re.ASCII
)


def scanned(line: list[Token], names: Names) -> Scan:
    """Everything that a line says, or the first words that could not be read.

    Looking for the nearest names takes most of the time, so that no line may ask for many.
    """
    scan = Scan(line=split_counts(line, names), names=names)
    while scan.at < len(scan.line) and len(scan.problems) < MOST:
        next(found for read in READERS if (found := read(scan)))
    return scan


def keyed(scan: Scan) -> bool:
    """`key=value`."""
    token = scan.line[scan.at]
    if not is_keyed(token):
        return False
    name = KEYS.get(token.key)
    if name is None:
        near = ", ".join(scan.names.nearest(token.key, KEYS)[:1])
        hint = f" Did you mean {near}?" if near in KEYS else ""
        return scan.refuse(1, f"`{token.text}`: there is no `{token.key}`.{hint}")
    if not token.value:
        return scan.refuse(1, f"`{token.text}` has no value.")
    said = [pair for part in token.value.split(",") for pair in said_by(scan.names, name, part)]
    wrong = [value for name, value in said if not readable(name, value)]
    if wrong:
        return scan.refuse(1, f"`{token.text}`: {wrong[0]!r} is not a number such as 8 or 32k.")
    return scan.take(1, *said)


def longest(scan: Scan) -> bool:
    """The longest phrase or name that begins here."""
    for count in range(min(WINDOW, len(scan.line) - scan.at), 0, -1):
        lows = [scan.low(ahead) for ahead in range(count)]
        if not all(lows):
            continue
        spelled = "".join(lows).translate(UNSPACED)
        if spelled in PHRASES:
            return phrase(scan, count, PHRASES[spelled])
        found = scan.names.meanings(spelled) or several(spelled, scan.names)
        if found and not key_follows(scan, count, found[0]):
            return name(scan, count, found)
    return False


def several(spelled: str, names: Names) -> tuple[Meaning, ...]:
    """The card of a plural: `2 h100s`."""
    one = names.meanings(spelled.removesuffix("s")) if spelled.endswith("s") else ()
    return tuple(meaning for meaning in one if meaning[0] == "gpu")


def phrase(scan: Scan, count: int, fields: tuple[tuple[str, str], ...]) -> bool:
    """A phrase: its fields, or a key for the next word."""
    (kind, value), *_ = fields
    return with_value(scan, count, value) if kind == "key" else scan.take(count, *fields)


def key_follows(scan: Scan, count: int, meaning: Meaning) -> bool:
    """Whether the kv of `fp8 kv bf16` belongs to what follows it."""
    after = scan.low(count)
    return bool(meaning[0] == "kv_cache_precision" and scan.names.meanings(f"{after}kv"))


def name(scan: Scan, count: int, found: tuple[Meaning, ...]) -> bool:
    """A name that means one thing."""
    if len(found) > 1:
        listed = " or ".join(value for _, value in found[:LISTED])
        return scan.refuse(count, f"`{scan.typed(count)}` means {listed}; write one of them.")
    return scan.take(count, found[0])


def sized(scan: Scan) -> bool:
    """A number with its unit or the noun behind it."""
    low = scan.low()
    if (count := times(low)) is not None:
        return scan.take(1, ("times", count))
    found = measured(low)
    if found is None:
        return False
    nouns, name = following_nouns(scan, 1)
    if name == "max_nodes" and (each := of_each(scan, 1 + nouns)):
        return scan.take(3 + nouns, (name, low), ("max_cards_per_node", each))
    if name and found[0] in {"", "tokens", name}:
        value = low + (scan.low(1)[:1] if name == "max_power_watts" else "")
        return scan.take(1 + nouns, (name, SCALED.get(name, str)(value)))
    if not found[0]:
        return scan.take(1, ("times", low)) if card_follows(scan) else bare_number(scan)
    return scan.take(1 + (nouns if (found[0], name) == ("memory", "count") else 0), found)


def of_each(scan: Scan, ahead: int) -> str:
    """The 8 of `2 nodes of 8 h100`, but not the 50 of `2 nodes with 50 users`."""
    each, counted = scan.low(ahead + 1), NOUNS.get(scan.low(ahead + 2), "count")
    return each if scan.low(ahead) in OF and each.isdigit() and counted == "count" else ""


def bare_number(scan: Scan) -> bool:
    """A number of nothing."""
    low = scan.low()
    ways = f"users={low}, max {low}" if low.isdigit() else f"parameters={low}"
    return scan.refuse(1, f"`{scan.typed(1)}` of what? Write {ways} or ctx={low}.")


def card_follows(scan: Scan) -> bool:
    """Whether the next words name a card: `8 h100`, `2 rtx 4090`."""
    lows = [scan.low(ahead) for ahead in range(1, WINDOW)]
    spelled = ("".join(lows[:count]) for count in range(1, WINDOW) if all(lows[:count]))
    found = (scan.names.meanings(name) or several(name, scan.names) for name in spelled)
    return scan.low().isdigit() and any(one[0][0] == "gpu" for one in found if one)


def following_nouns(scan: Scan, ahead: int) -> tuple[int, str]:
    """How many nouns follow, and what they count."""
    name = NOUNS.get(scan.low(ahead).split("/")[0], "")
    count = 0
    while name and NOUNS.get(scan.low(ahead + count).split("/")[0]) == name:
        count += 1
    return count, name


def bare_key(scan: Scan) -> bool:
    """A key with its value as the next word."""
    key = scan.low().replace("-", "_")
    if key not in BARE_KEYS:
        return False
    name, after = KEYS[key], scan.low(1)
    if name in NAMED:
        if after.isdigit() and name == "gpu":
            return cards_or_next(scan)
        return (key in NOUNS or bool(after)) and scan.take(1)
    return with_value(scan, 1, name)


def cards_or_next(scan: Scan) -> bool:
    """`cards 8`; but the number of `cards 20 users` belongs to the users."""
    nouns, noun = following_nouns(scan, 2)
    if not nouns or noun == "count":
        return with_value(scan, 1, "count")
    if MEASURE.fullmatch(scan.low(2 + nouns)):
        key, number, other = scan.low(), scan.low(1), scan.low(2)
        ways = f"write {key}={number} or {other}={number}"
        return scan.refuse(2 + nouns, f"`{scan.typed(2 + nouns)}` can be read twice; {ways}.")
    return scan.take(1)


def with_value(scan: Scan, count: int, name: str) -> bool:
    """A key of some words and the value behind it."""
    after = scan.low(count)
    if name == "count":
        return most(scan, count, after)
    said = said_by(scan.names, name, after) if after else []
    if not said or not all(readable(one, value) for one, value in said):
        if scan.low() in SMALL:
            return scan.take(1)
        example = "8" if is_numeric(name) else "…"
        key = scan.low() if scan.low() in KEYS else name
        return scan.refuse(count, f"`{scan.typed(count)}` needs a value: {key}={example}.")
    nouns, noun = following_nouns(scan, count + 1)
    return scan.take(count + 1 + (nouns if noun == name else 0), *said)


def most(scan: Scan, count: int, after: str) -> bool:
    """`max 8`, `max 8 nodes`, `max $20/h`, `max users 50`."""
    if after in NOUNS and MEASURE.fullmatch(scan.low(count + 1)):
        return with_value(scan, count + 1, named_noun(after))
    if (number := times(after)) is not None:
        return scan.take(count + 1, ("count", number))
    found = measured(after)
    if found is None or found[0] in {"memory", "parameters"}:
        return scan.refuse(
            count, f"`{scan.typed(count)}` needs a number: max 8, max 2 nodes, max $20/h."
        )
    nouns, noun = following_nouns(scan, count + 1)
    pending = MEASURE.fullmatch(scan.low(count + 1 + nouns))
    if noun and (noun == "count" or not pending):
        return scan.take(count + 1 + nouns, (noun, SCALED.get(noun, str)(after)))
    return scan.take(count + 1, (found[0] if not after.isdigit() else "count", found[1]))


def named_noun(word: str) -> str:
    """What a noun counts; of cards there is a most."""
    found = NOUNS[word]
    return "max_cards" if found == "count" else found


def small(scan: Scan) -> bool:
    """A word that says nothing."""
    return scan.low() in SMALL and scan.take(1)


def begun(scan: Scan) -> bool:
    """The beginning of exactly one name."""
    for count in range(min(WINDOW, len(scan.line) - scan.at), 0, -1):
        lows = [scan.low(ahead) for ahead in range(count)]
        found = scan.names.completions("".join(lows)) if all(lows) else ()
        if len(found) == 1:
            return scan.take(count, found[0])
        if found:
            return several_begun(scan, count, found)
    return False


def several_begun(scan: Scan, count: int, found: tuple[Meaning, ...]) -> bool:
    """The beginning of several names: those that hold the next word too, where there are such."""
    after = scan.low(count)
    telling = bool(after) and after not in SMALL
    narrowed = [value for _, value in found if telling and after in value]
    words = count + bool(narrowed)
    listed = sorted(narrowed or (value for _, value in found))
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    said = f"begins several names; write one: {', '.join(listed[:LISTED])}{more}."
    return scan.refuse(words, f"`{scan.typed(words)}` {said}")


def hub_id(scan: Scan) -> bool:
    """`organisation/name`, which the models' shelf looks up."""
    good = HUB_ID.fullmatch(scan.low())
    return bool(good) and scan.take(1, ("model", scan.line[scan.at].text))


def unknown(scan: Scan) -> bool:
    """A word that means nothing here, with what it may have been."""
    token = scan.line[scan.at]
    near = scan.names.nearest(token.low, (*KEYS, *SINGLE_WORDS, *SMALL))
    hint = f" Nearest: {', '.join(near)}." if near else " `help` lists what can be asked."
    return scan.refuse(1, f"`{token.text}` is not known.{hint}")


READERS: tuple[Callable[[Scan], bool], ...] = (
    keyed, longest, sized, bare_key, small, begun, hub_id, unknown,
)  # fmt: skip
"""Tried in this order at each word; the last always answers."""
