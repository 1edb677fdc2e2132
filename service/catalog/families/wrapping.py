"""How a model of several modalities is put together: a decoder, its towers, their projectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from service.catalog.families.decoder import Facts
from service.catalog.families.reading import Config
from service.catalog.families.vision_towers import VISION, patches
from service.domain.architecture import Tower
from service.domain.tensors import Tensors

Projector = Callable[[Config, int, int], Tensors]
Towers = Callable[[Config, Facts], tuple[Tower, ...]]
ItemTokens = Callable[[Config], int]
VISION_SECTION = "vision_config"
AUDIO_SECTION = "audio_config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """A family of models with towers.

    text      model type of the decoder where its section does not name one
    towers    the towers and their projectors
    classes   class whose sizes fill a section that the config leaves out
    inner     section that holds the whole model, where others stand beside it
    buffers   name and elements of what files hold of the towers beside their parameters
    note      what a reader should know
    """

    text: str
    towers: Towers
    classes: Mapping[str, str] = field(default_factory=dict)
    inner: str = ""
    buffers: Callable[[Config], tuple[tuple[str, int], ...]] = lambda _: ()
    note: str = ""


def dynamic(_: Config) -> int:
    """Tokens of an image that depend on its size."""
    return 0


def stated(key: str, default: int) -> ItemTokens:
    """Tokens of one image as a key states them."""
    return lambda config: config.integer(key, default=default)


def merged_patches(merge_key: str = "", default: int = 1) -> ItemTokens:
    """Tokens of one image or tile: its patches, so many of a side merged into one."""

    def tokens(config: Config) -> int:
        merge = config.integer(merge_key, default=default) if merge_key else default
        return int(patches(config.section(VISION_SECTION)) // merge**2)

    return tokens


def one_tower(
    kind: str, projector: Projector, tokens: ItemTokens = dynamic, *, any_kind: bool = False
) -> Towers:
    """A vision transformer of one class, or with `any_kind` of the class that its section names."""

    def towers(config: Config, text: Facts) -> tuple[Tower, ...]:
        section = config.section(VISION_SECTION)
        named = (section.text("model_type") if any_kind else None) or kind
        reader = VISION.get(named)
        if reader is None:
            near = tuple(get_close_matches(named[:100], VISION, n=5, cutoff=0.5))
            raise section.unknown("model_type", near)
        shape = reader(section)
        ahead = projector(config, shape.hidden_size, text.hidden_size)
        return (shape.tower(ahead, tokens(config)),)

    return towers


def around_any(text: str, kind: str, projector: Projector, tokens: ItemTokens = dynamic) -> Wrapper:
    """A wrapper around any vision tower that its config names."""
    towers = one_tower(kind, projector, tokens, any_kind=True)
    return Wrapper(text=text, towers=towers, classes={VISION_SECTION: kind})


def around(text: str, kind: str, projector: Projector, tokens: ItemTokens = dynamic) -> Wrapper:
    """A wrapper around its own class of vision tower."""
    towers = one_tower(kind, projector, tokens)
    return Wrapper(text=text, towers=towers, classes={VISION_SECTION: kind})


def with_projector(tower: Tower, projector: Tensors, item_tokens: int = 0) -> Tower:
    """The same tower with a projector behind it."""
    return replace(tower, after=(*tower.after, *projector), item_tokens=item_tokens)
