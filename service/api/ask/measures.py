"""Numbers as people write them: `32k`, `70b`, `80gb`, `$20/h`, `700w`, `10%`, `x8`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

MEASURE = re.compile(r"(\$?)(\d{1,12}(?:\.\d{1,6})?)([a-z%$]{0,8})((?:/(?:h|hr|hour))?)", re.ASCII)
BEFORE, AFTER = re.compile(r"x(\d{1,6})", re.ASCII), re.compile(r"(\d{1,6})x", re.ASCII)
LEAST_TOKENS = 512
MOST_MEGA_TOKENS = 32
KILO = 1000

UNITS: Mapping[str, str] = {
    "k": "tokens", "b": "parameters", "bn": "parameters", "t": "parameters",
    "g": "memory", "gb": "memory", "w": "max_power_watts", "kw": "max_power_watts",
    "usd": "max_hourly_usd", "$": "max_hourly_usd",
}  # fmt: skip


def measured(low: str) -> tuple[str, str] | None:
    """What a number with its unit says by itself: name and value; an empty name where unclear."""
    found = MEASURE.fullmatch(low)
    if found is None:
        return None
    dollar, digits, unit, per_hour = found.groups()
    if dollar or per_hour:
        return ("max_hourly_usd", digits) if unit in {"", "usd", "$"} else None
    if unit == "m":
        return ("tokens" if float(digits) <= MOST_MEGA_TOKENS else "", low)
    if not unit:
        return ("tokens" if digits.isdigit() and int(digits) >= LEAST_TOKENS else "", low)
    name = UNITS.get(unit)
    if name is None:
        return None
    return name, SCALED.get(name, str)(low)


def times(low: str) -> str | None:
    """The number of `x8` or `8x`."""
    found = BEFORE.fullmatch(low) or AFTER.fullmatch(low)
    return found.group(1) if found else None


def plain(low: str) -> str:
    """A number without currency, percent and units of time; a share where it was percent."""
    bare = low.removeprefix("$").split("/")[0].removesuffix("usd").removesuffix("$")
    if bare.endswith("%") and bare[:-1].replace(".", "", 1).isdigit():
        return f"{float(bare[:-1]) / 100:.6g}"
    return bare


def watts(low: str) -> str:
    """Watts, from watts or kilowatts."""
    bare = low.removesuffix("w")
    if bare.endswith("k") and bare[:-1].replace(".", "", 1).isdigit():
        return f"{float(bare[:-1]) * KILO:.10g}"
    return bare


def gigabytes(low: str) -> str:
    """The number before GB or GiB."""
    return low.removesuffix("b").removesuffix("i").removesuffix("g")


def parameters(low: str) -> str:
    """A count of parameters, `bn` as b."""
    return low.removesuffix("n") if low.endswith("bn") else low


SCALED: Mapping[str, Callable[[str], str]] = {
    "max_power_watts": watts,
    "max_hourly_usd": plain,
    "min_headroom": plain,
    "memory_utilization": plain,
    "memory": gigabytes,
    "memory_gib": gigabytes,
    "parameters": parameters,
}
"""How the text of a number becomes that of its field."""
