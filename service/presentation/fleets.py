"""Fleets as reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from service.domain.fleet import Assignment, Fleet
from service.presentation.plans import placement_view
from service.presentation.rendering import Report

SHARING = {
    True: "replicas of one card may share it; each engine is told its own share",
    False: "a card belongs to one replica",
}


def assignment_view(one: Assignment) -> dict[str, Any]:
    """A replica with its cards and its engine's settings."""
    option = one.option
    view = {
        "model": one.model,
        "replica": one.replica,
        "gpu": option.gpu.id,
        "cards": option.cards,
        "placement": placement_view(one.placement),
        "tensor_parallel": option.tensor_parallel,
        "pipeline_parallel": option.pipeline_parallel,
        "data_parallel": option.data_parallel,
        "precision": option.precision,
        "quantization": option.quantization,
        "kv_cache_precision": option.kv_cache_precision,
        "required_bytes": option.per_card.amount.expected,
        "shared_card": one.card,
        "memory_share": one.share,
        "claim_bytes": one.claim_bytes,
        "launch": {"command": option.launch},
    }
    return {key: value for key, value in view.items() if value is not None}


def node_rows(fleet: Fleet) -> list[dict[str, Any]]:
    """Every node in use with the models on it."""
    nodes: dict[str, list[str]] = {}
    for one in fleet.assignments:
        for taken in one.placement:
            nodes.setdefault(taken.node, []).append(f"{one.model}/{one.replica}")
    return [{"node": node, "replicas": held} for node, held in sorted(nodes.items())]


def fleet_view(fleet: Fleet) -> dict[str, Any]:
    """A fleet in the contract's shape."""
    return {
        "fits": fleet.fits,
        "share_cards": fleet.share_cards,
        "sharing": SHARING[fleet.share_cards],
        "nodes": fleet.nodes,
        "cards": fleet.cards,
        "least_nodes": fleet.least_nodes,
        "gap_nodes": fleet.nodes - fleet.least_nodes,
        "proved": fleet.proved,
        "assignments": [assignment_view(one) for one in fleet.assignments],
        "node_list": node_rows(fleet),
        "unplaced": [asdict(one) for one in fleet.unplaced],
        "assumptions": [asdict(note) for note in fleet.assumptions],
    }


def row(one: Assignment) -> dict[str, Any]:
    """A replica as a row."""
    places = "; ".join(f"{taken.node}: {taken.cards}" for taken in one.placement)
    return {
        "model": one.model,
        "replica": one.replica,
        "gpu": one.option.gpu.id,
        "cards": one.option.cards,
        "nodes": places,
        "quantization": one.option.quantization,
        "memory_share": one.share,
    }


def sentence(one: Assignment) -> str:
    """A replica in one line."""
    places = ", ".join(f"{taken.cards} on {taken.node}" for taken in one.placement)
    shared = f", shared card {one.card}, share {one.share}" if one.share is not None else ""
    return f"{one.model}/{one.replica}: {one.option.quantization}, {places}{shared}"


def fleet_report(fleet: Fleet, versions: Mapping[str, str]) -> Report:
    """A fleet in data, words and rows."""
    proof = (
        "no fewer nodes do" if fleet.nodes == fleet.least_nodes else (f"{fleet.least_nodes} may do")
    )
    lines = [f"{fleet.cards} cards on {fleet.nodes} nodes; {proof}."] if fleet.assignments else []
    lines += [sentence(one) for one in fleet.assignments]
    lines += [f"no place for {one.model}: {one.reason}" for one in fleet.unplaced]
    return Report(
        data={**fleet_view(fleet), **versions},
        summary=tuple(lines),
        rows=tuple(row(one) for one in fleet.assignments),
        fits=fleet.fits,
    )
