"""Which books there are, who is in which, and what a search leaves of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.phonebook import FOUND_AT_MOST, Book, Contact, book_of, books, searched, typed_search

ANN, BOB, CARL = Contact("1", "Ann", "Sales"), Contact("2", "bob", "Sales"), Contact("3", "Carl")


@pytest.mark.parametrize(
    ("scope", "department", "expected"),
    [
        ("off", "Sales", ""),
        ("all", "Sales", "all"),
        ("site", "Sales", "site:north"),
        ("department", "Sales", "department:Sales"),
        ("department", "", "site:north"),
    ],
)
def test_setting_chooses_the_book(scope: str, department: str, expected: str) -> None:
    assert book_of(scope, "north", department) == expected


def test_books_hold_their_people_in_the_order_of_names() -> None:
    wanted = ["site:north", "department:Sales", "all", "site:nowhere", "all"]
    found = {book.id: book.contacts for book in books(wanted, [CARL, BOB, ANN], {"north": frozenset({"3", "1", "9"})})}
    assert found == {"all": (ANN, BOB, CARL), "department:Sales": (ANN, BOB), "site:north": (ANN, CARL), "site:nowhere": ()}


def test_a_book_is_cut_and_knows_its_departments() -> None:
    book = Book("all", (ANN, BOB, CARL))
    assert book.cut(2).contacts == (ANN, BOB)
    assert book.cut(3) is book
    assert book.departments == ("Sales",)


def test_a_site_and_a_department_of_one_name_are_two_books() -> None:
    found = books(["site:Sales", "department:Sales"], [ANN, CARL], {"Sales": frozenset({"3"})})
    assert [book.contacts for book in found] == [(ANN,), (CARL,)]


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("x.xml", ""),
        ("x.xml?search=a+b", "a b"),
        ("x.xml?a=1&search=%C3%A9", "\u00e9"),
        ("x?search", ""),
        ("x?search=%20", ""),
        ("x?" + "&" * 400, ""),
    ],
)
def test_what_was_typed_is_read_from_the_query(path: str, typed: str) -> None:
    assert typed_search(path) == typed


@given(st.text(max_size=40))
def test_a_search_keeps_the_frame_and_adds_nothing(text: str) -> None:
    body = "<a>\n" + "".join(f"<e>{at} name</e>\n" for at in range(150)) + "</a>\n"
    found = searched(body.encode(), "<e>", text).decode().splitlines()
    assert found[0] == "<a>"
    assert found[-1] == "</a>"
    assert len(found) <= FOUND_AT_MOST + 2
    assert set(found) <= set(body.splitlines())
