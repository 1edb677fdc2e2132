"""Groups of cards on nodes, by cases that a hand can count."""

from service.domain.nodes import Node, bounded_shape, groups_in, nodes_for, placement, shape_of

UNEVEN = (Node(name="a", cards=3), Node(name="b", cards=6), Node(name="c", cards=4))


def held(groups: int, tensor: int) -> list[tuple[str, int]]:
    return [(node.name, cards) for node, cards in placement(UNEVEN, groups, tensor)]


def test_tensor_parallel_groups_never_cross_nodes() -> None:
    shape = shape_of(UNEVEN)
    assert [groups_in(shape, tensor) for tensor in (1, 2, 4, 8)] == [13, 6, 2, 0]


def test_two_half_free_nodes_hold_two_groups_of_four_but_none_of_eight() -> None:
    assert groups_in(((4, 2),), 4) == 2
    assert groups_in(((4, 2),), 8) == 0


def test_limits_keep_the_largest_nodes() -> None:
    assert bounded_shape(shape_of(UNEVEN), None, 2) == ((6, 1), (4, 1))
    assert bounded_shape(shape_of(UNEVEN), 4, 2) == ((4, 2),)


def test_the_rest_goes_to_the_smallest_node_that_holds_it() -> None:
    assert held(groups=9, tensor=1) == [("b", 6), ("a", 3)]
    assert held(groups=4, tensor=2) == [("b", 6), ("a", 2)]


def test_one_node_is_preferred_and_the_large_one_kept_free() -> None:
    assert held(groups=1, tensor=2) == [("a", 2)]
    assert held(groups=1, tensor=4) == [("c", 4)]


def test_full_nodes_come_first() -> None:
    assert nodes_for(((6, 1), (4, 1), (3, 1)), groups=10, tensor=1) == 2
    assert nodes_for(((8, 1 << 30),), groups=5, tensor=4) == 3
