"""Money: renting, buying and feeding cards, with the price's own source; unknown stays unknown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from service.domain.hardware import Gpu, Price
from service.domain.units import ceil_div

WATTS_PER_KILOWATT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRules:
    """What money is worked out with.

    utilization  average part of the rated board power
    pue          power of the building for each watt of the cards
    whole_nodes  how form factors begin that are bought only as whole servers
    """

    hours_per_month: int
    utilization: float
    pue: float
    usd_per_kwh: Decimal
    whole_nodes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many cards cost; None where a price or a power is not known.

    Renting and energy are those of the cards in use, because their prices are of single cards.

    billed_cards  cards that have to be bought: whole servers where the card is sold so
    rental, purchase  the prices that were used
    purchase_usd_to   upper end where the source names a range
    break_even_months  months of renting that pay for the cards and their energy
    """

    billed_cards: int
    hourly_usd: Decimal | None
    monthly_usd: Decimal | None
    purchase_usd: Decimal | None
    purchase_usd_to: Decimal | None
    energy_kwh_per_month: Decimal | None
    energy_usd_per_month: Decimal | None
    break_even_months: Decimal | None
    rental: Price | None
    purchase: Price | None


def billed_cards(gpu: Gpu, cards: int, nodes: int, rules: CostRules) -> int:
    """Cards of whole nodes where the form factor is sold so, else the cards alone."""
    form, per_node = gpu.form_factor or "", gpu.cards_per_node or 1
    if gpu.is_mig or not form.startswith(rules.whole_nodes):
        return cards
    return max(nodes, ceil_div(cards, per_node)) * per_node


def cost(gpu: Gpu, cards: int, billed: int, rules: CostRules) -> Cost:
    """Rent and energy of so many cards, and the purchase of those that have to be bought for it.

    rent = n·p·H;  energy = n·W/1000·u·PUE·H;  months = b·P / (rent - energy)

    n  cards in use   p  price of an hour   H  hours of a month
    b  cards bought   P  price of a card    W  rated power   u  its average part

    Holds when:  rented cards' energy is in their price; cooling is in the PUE, staff nowhere.
    Source:      config/costs.yaml; prices of gpus.yaml.
    Checked by:  3 cards at 3.49 USD: 10.47 an hour, 7,643.10 for 730 hours.
    """
    rental, purchase = gpu.rental, gpu.purchase
    hourly = rental.usd * cards if rental else None
    monthly = hourly * rules.hours_per_month if hourly is not None else None
    energy = energy_kwh(gpu, cards, rules)
    spent = energy * rules.usd_per_kwh if energy is not None else None
    bought = purchase.usd * billed if purchase else None
    dearest = purchase.usd_to * billed if purchase and purchase.usd_to else None
    return Cost(
        billed_cards=billed,
        hourly_usd=hourly,
        monthly_usd=monthly,
        purchase_usd=bought,
        purchase_usd_to=dearest,
        energy_kwh_per_month=energy,
        energy_usd_per_month=spent,
        break_even_months=break_even_months(bought, monthly, spent),
        rental=rental,
        purchase=purchase,
    )


def energy_kwh(gpu: Gpu, cards: int, rules: CostRules) -> Decimal | None:
    """Energy of a month with the building's share."""
    if gpu.tdp_watts is None:
        return None
    drawn = Decimal(str(gpu.tdp_watts)) * cards * Decimal(str(rules.utilization))
    return drawn * Decimal(str(rules.pue)) * rules.hours_per_month / WATTS_PER_KILOWATT


def break_even_months(
    bought: Decimal | None, rented_a_month: Decimal | None, energy_a_month: Decimal | None
) -> Decimal | None:
    """Months after which buying was cheaper; None where it never is or a price is missing."""
    if bought is None or rented_a_month is None:
        return None
    saved = rented_a_month - (energy_a_month or Decimal(0))
    return bought / saved if saved > 0 else None
