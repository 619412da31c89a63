"""The order of messages, from lists in either direction, unsorted ones, and several at once."""

from collections.abc import Sequence

import pytest

from migration_app.archive.order.listed import Listed
from migration_app.archive.order.ordering import Listing, listing_ordered, listings_merged
from migration_app.archive.times import seconds_of
from migration_app.contracts import ListingOrder


def objects(*pairs: tuple[str, object]) -> tuple[Listed, ...]:
    return tuple(Listed(name, seconds_of(time)) for name, time in pairs)


def ids(values: Sequence[Listed]) -> str:
    return "".join(value.id for value in values)


def ordered(*pairs: tuple[str, object], order: ListingOrder = "unknown") -> str:
    return ids(listing_ordered(Listing(objects(*pairs), order)).objects)


def test_an_ascending_list_stays() -> None:
    assert ordered(("a", 1), ("b", 2), ("c", 2), ("d", 3)) == "abcd"


def test_a_descending_list_is_turned_round_ties_too() -> None:
    assert ordered(("d", 3), ("c", 2), ("b", 2), ("a", 1)) == "abcd"


def test_timestamps_weigh_more_than_what_the_rest_of_the_import_does() -> None:
    assert ordered(("a", 1), ("b", 2), order="desc") == "ab"


@pytest.mark.parametrize(("order", "expected"), [("desc", "ab"), ("asc", "ba")])
def test_inside_one_second_the_direction_of_the_import_decides(order: ListingOrder, expected: str) -> None:
    assert ordered(("b", 5), ("a", 5), order=order) == expected


def test_one_second_and_no_direction_is_uncertain_and_stays_as_listed() -> None:
    result = listing_ordered(Listing(objects(("a", 5), ("b", 5))))
    assert (ids(result.objects), result.uncertain) == ("ab", True)


def test_a_single_message_is_certain() -> None:
    assert not listing_ordered(Listing(objects(("a", None)))).uncertain


def test_milliseconds_and_strings_count_as_times() -> None:
    assert ordered(("b", "1702014089"), ("a", 1702014088000)) == "ab"


def test_a_list_without_direction_is_sorted_by_time() -> None:
    result = listing_ordered(Listing(objects(("b", 2), ("d", 4), ("a", 1), ("c", 3))))
    assert (ids(result.objects), result.sorted_by_time, result.uncertain) == ("abcd", True, False)


def test_a_list_without_direction_with_ties_is_uncertain() -> None:
    assert listing_ordered(Listing(objects(("b", 2), ("d", 4), ("a", 1), ("c", 2)))).uncertain


def test_a_mostly_descending_list_has_its_ties_turned_round() -> None:
    assert ordered(("e", 5), ("d", 4), ("c", 4), ("a", 1), ("b", 2)) == "abcde"


def test_a_message_without_time_stays_beside_its_neighbour() -> None:
    assert ordered(("c", 3), ("b", None), ("a", 1)) == "abc"


def test_a_direction_that_was_asked_for_is_trusted() -> None:
    listing = Listing(objects(("a", 9), ("b", 1)), "asc", trusted=True)
    assert ids(listing_ordered(listing).objects) == "ab"


def test_a_grown_dump_adds_its_new_messages_behind() -> None:
    first = Listing(objects(("b", 2), ("a", 1)))
    second = Listing(objects(("d", 4), ("c", 2), ("b", 2), ("a", 1)))
    assert ids(listings_merged([first, second]).objects) == "abcd"


def test_a_second_dump_fills_a_gap_by_time() -> None:
    first = Listing(objects(("a", 1), ("d", 9)))
    second = Listing(objects(("b", 3), ("c", 4)))
    assert ids(listings_merged([first, second]).objects) == "abcd"


def test_inside_a_second_a_new_message_stands_where_its_own_list_has_it() -> None:
    first = Listing(objects(("a", 5), ("c", 5)), "asc")
    second = Listing(objects(("a", 5), ("b", 5), ("c", 5)), "asc")
    assert ids(listings_merged([first, second]).objects) == "abc"


def test_without_times_a_new_message_stands_behind_the_one_before_it() -> None:
    first = Listing(objects(("a", None), ("c", None)), "asc")
    second = Listing(objects(("a", None), ("b", None), ("c", None), ("d", None)), "asc")
    assert ids(listings_merged([first, second]).objects) == "abcd"


def test_without_times_new_messages_at_the_front_stay_there() -> None:
    first = Listing(objects(("b", None), ("c", None)), "asc")
    second = Listing(objects(("a", None), ("b", None), ("c", None)), "asc")
    assert ids(listings_merged([first, second]).objects) == "abc"


def test_each_id_comes_once() -> None:
    listing = Listing(objects(("a", 1), ("b", 2)))
    assert ids(listings_merged([listing, listing]).objects) == "ab"


def test_what_a_trusted_list_puts_against_its_timestamps_goes_by_these() -> None:
    first, early, last = objects(("a", 100), ("c", 50), ("b", 200))
    grown = Listing((first, early, last), "asc", trusted=True)
    assert ids(listings_merged([Listing((first, last)), grown]).objects) == "cab"
