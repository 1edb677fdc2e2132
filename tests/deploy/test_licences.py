"""docs/LICENCES.md names the licence of each package that is installed with the service."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKED = re.findall(
    r"^([\w.-]+)==(\S+) \\$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE
)
ROW = re.compile(r"^\| ([\w.-]+) \| (\S+) \| (.+) \|$", re.MULTILINE)
LISTED = ROW.findall((ROOT / "docs" / "LICENCES.md").read_text(encoding="utf-8"))[
    2:
]  # below the head


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_locked_package_is_listed_with_its_version() -> None:
    listed = {(plain(name), version) for name, version, _ in LISTED}
    assert {(plain(name), version) for name, version in LOCKED} == listed


def test_every_listed_package_says_its_licence() -> None:
    assert [name for name, _, licence in LISTED if not licence.strip()] == []
