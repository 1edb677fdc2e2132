"""Cards: what the driver reports, what they compute natively, how they are sold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from service.domain.units import MIB

PriceKind = Literal["low", "typical", "hyperscaler", "purchase"]
AVAILABLE = frozenset({"shipping", "used"})
"""What a plan takes cards from where none are named."""
RENTAL_ORDER: tuple[PriceKind, ...] = ("typical", "low", "hyperscaler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mig:
    """A slice of a larger card."""

    parent: str
    profile: str
    instances_per_parent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interconnect:
    """Link between cards; `gb_per_s` counts both directions of one card, in 10^9 bytes."""

    kind: str
    gb_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price in USD: an hour of one card for rentals, the card for `purchase`.

    usd_to  upper end where the source names a range
    date    day, month or year that the source names for this price; None where it names none
    """

    kind: PriceKind
    usd: Decimal
    source: str
    usd_to: Decimal | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """Names of a card in other systems.

    kubernetes_products, pci_ids   values of node labels: of NVIDIA's and of AMD's labeller
    kubernetes_resource            where it is not the vendor's usual one
    dstack                         name, and memory where several cards share it
    """

    kubernetes_products: tuple[str, ...] = ()
    kubernetes_resource: str | None = None
    pci_ids: tuple[str, ...] = ()
    slurm: str | None = None
    ray: str | None = None
    skypilot: str | None = None
    dstack: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gpu:
    """One addressable device, what a driver's tool lists as one line.

    memory_label_gb       on the box, in GB
    memory_reported_mib   what the driver's tool prints, absent where nobody has seen it
    memory_planning_mib   what to plan with: the reported value, or a safe lower bound
    compute_capability    of NVIDIA cards; `gfx` is AMD's name for the same
    dense_tflops          by format, without sparsity
    """

    id: str
    name: str
    vendor: str
    architecture: str
    memory_label_gb: float
    memory_planning_mib: int
    memory_status: str
    availability: Literal["shipping", "used", "export-variant", "discontinued", "announced"]
    sources: tuple[str, ...]
    memory_reported_mib: int | None = None
    compute_capability: str | None = None
    gfx: str | None = None
    devices_per_board: int = 1
    memory_type: str | None = None
    ecc: str | None = None
    bandwidth_gb_per_s: float | None = None
    dense_tflops: Mapping[str, float] = field(default_factory=dict)
    performance_scope: str | None = None
    performance_status: str | None = None
    native_formats: tuple[str, ...] = ()
    interconnect: Interconnect | None = None
    cards_per_node: int | None = None
    scaleup_domain: int | None = None
    form_factor: str | None = None
    tdp_watts: float | None = None
    release_year: int | None = None
    unified_memory: bool = False
    cloud_instances: str | None = None
    prices: tuple[Price, ...] = ()
    mig: Mig | None = None
    aliases: tuple[str, ...] = ()
    systems: Systems = field(default_factory=Systems)
    notes: str | None = None

    @property
    def shown_mib(self) -> int:
        """Total of one device as its driver's tool shows it, else the planning figure."""
        return self.memory_reported_mib or self.memory_planning_mib

    @property
    def memory_bytes(self) -> int:
        """Total of one device as its driver's tool shows it, else the planning figure."""
        return self.shown_mib * MIB

    @property
    def planning_bytes(self) -> int:
        """What applications can take of one device, to plan with."""
        return self.memory_planning_mib * MIB

    @property
    def is_mig(self) -> bool:
        """Whether this is a slice, which cannot be combined with others."""
        return self.mig is not None

    @property
    def hardware_key(self) -> str:
        """Under which engines list the hardware: compute capability, gfx name or architecture."""
        return self.compute_capability or self.gfx or self.architecture

    @property
    def rental(self) -> Price | None:
        """Price of an hour: the typical one, else the lowest, else a hyperscaler's."""
        by_kind = {price.kind: price for price in self.prices}
        return next((by_kind[kind] for kind in RENTAL_ORDER if kind in by_kind), None)

    @property
    def purchase(self) -> Price | None:
        """Price of the card."""
        return next((price for price in self.prices if price.kind == "purchase"), None)

    @property
    def hourly_usd(self) -> Decimal | None:
        """An hour of one card."""
        return self.rental.usd if self.rental else None
