"""The card catalog: facts, aliases and every kind of refusal."""

from pathlib import Path

import pytest

from service.catalog.errors import CatalogError
from service.catalog.gpus import load_gpus
from service.domain.errors import UnknownName

ROOT = Path(__file__).parent.parent.parent
GPUS = load_gpus(ROOT / "gpus.yaml")
CARD = """groups: {}
gpus:
  a:
    name: A
    vendor: V
    architecture: X
    memory_label_gb: 80
    memory_planning_mib: 76294
    memory_status: not seen
    availability: shipping
    sources: [s]
"""


def test_all_researched_cards_are_there_and_slices_are_cards() -> None:
    cards = list(GPUS.cards)
    assert sum(not card.is_mig for card in cards) == 129
    assert sum(card.is_mig for card in cards) == 120


def test_an_h100_has_what_its_driver_reports_not_its_label() -> None:
    (card,) = GPUS.pick("h100-sxm5-80gb")
    assert card.memory_bytes == 81_559 * 2**20
    assert card.compute_capability == "9.0"


def test_an_ambiguous_name_is_a_group_of_all_its_cards() -> None:
    assert {card.id for card in GPUS.pick("A100-80GB")} == {"a100-sxm4-80gb", "a100-pcie-80gb"}


def test_a_misspelt_card_gets_the_nearest_names() -> None:
    with pytest.raises(UnknownName, match="h100"):
        GPUS.pick("h1000")


def test_the_l20_row_reads_what_its_datasheet_says() -> None:
    (card,) = GPUS.pick("l20-48gb")
    assert (card.memory_planning_mib, card.tdp_watts, card.cards_per_node) == (45_598, 275, 8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    vendor: V\n", "    vendor: V\n    vendro: W\n", "unknown key; did you mean 'vendor'"),
        ("    vendor: V\n", "", "vendor: missing"),
        ("    vendor: V\n", "    vendor: V\n    vendor: V\n", "duplicate key 'vendor'"),
        ("sources: [s]", "sources: []", "needs at least one source"),
        ("76294", "12", "out of range"),
        ("76294", "yes", "must be int"),
        ("groups: {}", "groups: {b: [a, c]}", "names no card: 'c'"),
        ("    vendor: V\n", "    vendor: &x V\n", "anchors"),
        ("availability: shipping", "availability: sold", "none of shipping"),
    ],
)
def test_a_faulty_file_is_refused_whole(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "gpus.yaml"
    path.write_text(CARD.replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_gpus(path)
    assert message in str(caught.value)
    assert "gpus.yaml" in str(caught.value)


def test_an_alias_of_two_cards_has_to_be_a_group(tmp_path: Path) -> None:
    entry = CARD.split("gpus:\n")[1]
    path = tmp_path / "gpus.yaml"
    text = CARD + "    aliases: [x]\n" + entry.replace("  a:\n", "  b:\n") + "    aliases: [x]\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match="already means 'a'"):
        load_gpus(path)


def test_groups_of_a_size_and_of_slices_follow_from_the_cards() -> None:
    sizes = {card.memory_label_gb for card in GPUS.pick("24gb")}
    assert sizes == {24}
    assert not any(card.is_mig or card.availability == "announced" for card in GPUS.pick("24gb"))
    slices = GPUS.pick("h100-sxm5-80gb-mig")
    assert {card.mig.parent for card in slices if card.mig} == {"h100-sxm5-80gb"}
    assert set(slices) < set(GPUS.pick("mig"))


@pytest.mark.parametrize("date", ["yesterday", "2026-7", "26"])
def test_a_price_has_a_date_that_reads_as_one(tmp_path: Path, date: str) -> None:
    path = tmp_path / "gpus.yaml"
    price = f"    prices: [{{kind: low, usd: '1', source: s, date: '{date}'}}]\n"
    path.write_text(CARD + price, encoding="utf-8")
    with pytest.raises(CatalogError, match="a date is a year"):
        load_gpus(path)
