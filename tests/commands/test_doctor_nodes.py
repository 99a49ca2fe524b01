"""What the doctor says of servers that share one database: keys, clocks, versions, catalogues, addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.commands.doctor_nodes import compared, database_clock, nodes_findings
from provisioner.nodes import Node, Presence, clock_ahead_s, node_name, nodes_there, note_node, own_node
from provisioner.wiring import Installation
from tests.installations import make_installation
from tests.postgres import fresh_database

OURS = Node("one:/var/lib/provisioner", "1.2", "abc", "http://prov.example:8080/ with SIP at prov.example:5060", 0.2)


@pytest.fixture
def server(postgres_server: sa.URL, postgres_template: str, tmp_path: Path) -> Iterator[Installation]:
    with fresh_database(postgres_server, template=postgres_template) as url:
        made = make_installation(tmp_path, database_url=url)
        yield made
        made.database.dispose()


THEIRS = OURS._replace(name="two:/srv")


@pytest.mark.parametrize(
    ("other", "status", "said"),
    [
        (THEIRS, "OK", "clocks agree to 0 ms"),
        (THEIRS._replace(clock_ahead_s=1.1), "OK", "clocks agree to 900 ms"),
        (THEIRS._replace(clock_ahead_s=1.3), "FAIL", "its clock is 1.1 s ahead of this machine's"),
        (THEIRS._replace(clock_ahead_s=-3.0), "FAIL", "its clock is 3.2 s behind this machine's"),
        (THEIRS._replace(catalogue="def"), "FAIL", "its catalogue (phone_templates) is another"),
        (THEIRS._replace(version="1.3"), "WARN", "it runs version 1.3, this one 1.2"),
        (THEIRS._replace(address="http://other/"), "WARN", "it tells phones http://other/, this one http://prov.example:8080/"),
    ],
    ids=["the same", "a little ahead", "ahead", "behind", "another catalogue", "another version", "another address"],
)
def test_another_server_is_compared(other: Node, status: str, said: str) -> None:
    finding = compared(OURS, other)
    assert (finding.name, finding.status) == ("server two:/srv", status)
    assert said in finding.sentence
    assert bool(finding.mend) is (status != "OK")


@pytest.mark.parametrize(("ahead_s", "status"), [(0.9, "OK"), (1.2, "FAIL"), (-1.2, "FAIL")])
def test_clock_is_held_against_the_databases(ahead_s: float, status: str) -> None:
    assert database_clock(ahead_s).status == status


@pytest.mark.postgres
def test_servers_that_said_something_lately_are_found(server: Installation) -> None:
    database, settings = server.database, server.settings
    Presence(database, own_node(settings, server.catalogue)).say()
    Presence(database, own_node(settings, server.catalogue)).say()
    (own,) = nodes_there(database)
    assert own.name == node_name(settings.data_dir)
    assert [finding.status for finding in nodes_findings(settings, database, server.catalogue)] == ["OK", "OK"]
    note_node(database, own._replace(name="two:/srv", catalogue="another"))
    named = {finding.name: finding for finding in nodes_findings(settings, database, server.catalogue)}
    assert named["servers"].sentence == "1 more share this database" and named["server two:/srv"].status == "FAIL"
    with database.write() as connection:
        connection.execute(sa.text("UPDATE node SET at = at - 1000000 WHERE name = 'two:/srv'"))
    assert nodes_there(database) == [own]
    Presence(database, own_node(settings, server.catalogue)).say()
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM node")).scalar_one() == 1, "forgotten after a week"


@pytest.mark.postgres
def test_clock_that_is_wrong_is_measured(server: Installation) -> None:
    ahead_s = clock_ahead_s(server.database, lambda: 5.0 + _now(server))
    assert 3.0 < ahead_s < 7.0


def _now(server: Installation) -> float:
    with server.database.read() as connection:
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())


def test_database_of_one_machine_is_not_asked(tmp_path: Path) -> None:
    made = make_installation(tmp_path)
    assert list(nodes_findings(made.settings, made.database, made.catalogue)) == []
    made.database.dispose()
