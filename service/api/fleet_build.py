"""From a validated fleet body to the domain's request."""

from __future__ import annotations

from service.api.build import Body, Catalogs, one_gpu
from service.api.inventory_build import inventory
from service.api.plan_build import plan_request
from service.domain.candidates import DEFAULT_CARDS_PER_NODE
from service.domain.errors import InvalidRequest
from service.domain.fleet_ways import FleetModel, FleetRequest
from service.domain.requests import NodeRow

BOUGHT_NODES = 64
"""Nodes of one kind that a fleet may take where none are inventoried."""


def fleet_request(catalogs: Catalogs, body: Body) -> FleetRequest:
    """A fleet's body."""
    rows = inventory(catalogs, body.get("inventory", ()))
    return FleetRequest(
        models=tuple(
            fleet_model(catalogs, entry, index) for index, entry in enumerate(body["models"])
        ),
        rows=rows or (bought_nodes(catalogs, body["gpu"]),),
        share_cards=body.get("share_cards", False),
    )


def fleet_model(catalogs: Catalogs, body: Body, index: int) -> FleetModel:
    """One model; refusals name its place in the list.

    Raises: InvalidRequest.
    """
    own = {"name", "replicas", "max_quality_loss"}
    plain = {key: value for key, value in body.items() if key not in own}
    if "max_quality_loss" in body:
        plain["limits"] = {"max_quality_loss": body["max_quality_loss"]}
    try:
        asked = plan_request(catalogs, plain)
    except InvalidRequest as refusal:
        raise InvalidRequest(f"models.{index}.{refusal.field}", refusal.message) from refusal
    return FleetModel(name=body["name"], request=asked, replicas=body.get("replicas", 1))


def bought_nodes(catalogs: Catalogs, name: str) -> NodeRow:
    """As many nodes of a kind as a fleet may take, as they are sold."""
    gpu = one_gpu(catalogs, name, "gpu")
    names = tuple(f"{gpu.id}-{number}" for number in range(1, BOUGHT_NODES + 1))
    per_node = gpu.cards_per_node or DEFAULT_CARDS_PER_NODE
    return NodeRow(gpu=gpu, names=names, cards_per_node=per_node)
