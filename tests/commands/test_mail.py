"""``provisioner mail``, the settings of the mail server, and the doctor's lines about both."""

from __future__ import annotations

import pytest

from provisioner.commands.doctor_mail import mail_findings, recipients_finding
from provisioner.errors import SettingsError
from provisioner.settings import load_settings
from provisioner.wiring import open_installation
from tests.commands.conftest import Cli
from tests.mailing.servers import mail_box
from tests.ports import free_port


def environment(port: int, **more: str) -> dict[str, str]:
    given = {"SERVER": f"localhost:{port}", "SECURITY": "none", "FROM": "phones@example.com", **more}
    return {f"PROVISIONER_MAIL_{name}": value for name, value in given.items()}


def test_a_recipient_is_added_listed_and_removed(cli: Cli) -> None:
    added = cli("mail", "add", "office@example.com", "--site", "default", "--language", "nl", "--event", "pbx.*")
    assert "is told of pbx.*" in added.stdout and "No mail server is set yet" in added.stderr
    (row,) = cli.json("mail", "list")
    assert (row["address"], row["site"], row["language"], row["events"]) == ("office@example.com", "default", "nl", ["pbx.*"])
    assert "office@example.com" in cli("mail", "list").stdout
    assert "an e-mail address is needed" in cli("mail", "add", "office", status=1).stderr
    cli("mail", "remove", str(row["id"]))
    assert cli.json("mail", "list") == []
    assert "there is no recipient" in cli("mail", "remove", str(row["id"]), status=1).stderr


def test_a_test_is_sent_or_says_what_is_wrong(cli: Cli) -> None:
    with mail_box() as (box, port):
        assert (
            "took it for office@example.com" in cli("mail", "test", "office@example.com", "--language", "fi", env=environment(port)).stdout
        )
        box.refuses.add("gone@example.com")
        assert "does not take mail to gone@example.com" in cli("mail", "test", "gone@example.com", status=1, env=environment(port)).stderr
    assert [message["Subject"] for message in box.got] == ["Sähköposti-ilmoitusten testi"]
    assert "nothing answers" in cli("mail", "test", "office@example.com", status=1, env=environment(free_port())).stderr
    assert "PROVISIONER_MAIL_SERVER names one" in cli("mail", "test", "office@example.com", status=2).stderr
    assert "an e-mail address is needed" in cli("mail", "test", "a b", status=2, env=environment(1)).stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"SERVER": "mail.example.com:25"}, "MAIL_SECURITY=none: mail.example.com is another machine"),
        ({"FROM": ""}, "MAIL_FROM: PROVISIONER_MAIL_SERVER needs it"),
        ({"FROM": "Phones <phones@example.com>"}, "an e-mail address is needed"),
        ({"USER": "phones"}, "MAIL_PASSWORD: PROVISIONER_MAIL_USER needs it"),
        ({"SERVER": "mail.example.com"}, "a host and a port are needed"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_at_the_start(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(environment(25, **given))


def test_in_clear_to_another_machine_only_where_it_is_said() -> None:
    given = {"SERVER": "mail.example.com:25", "SECURITY": "none-anywhere"}
    assert str(load_settings(environment(25, **given)).mail_server) == "mail.example.com:25"
    assert load_settings(environment(25, SERVER="127.0.0.2:25")).mail_security == "none"


def test_the_doctor_tries_the_mail_server_and_looks_who_is_told(cli: Cli) -> None:
    with mail_box() as (_, port):
        settings = load_settings({**cli.env, **environment(port)})
        assert [found.status for found in mail_findings(settings)] == ["OK"]
    assert [found.status for found in mail_findings(settings)] == ["FAIL"]
    unset = load_settings(cli.env)
    assert list(mail_findings(unset)) == []
    here = open_installation(unset)
    try:
        assert recipients_finding(unset, here.store) is None
        found = recipients_finding(settings, here.store)
        assert found is not None and "nobody is told" in found.sentence
        number = here.changes.create_mail_recipient("test", {"address": "office@example.com"}).id
        for given, status in ((unset, "WARN"), (settings, "OK")):
            found = recipients_finding(given, here.store)
            assert found is not None and found.status == status
        here.changes.note_mail_failed(number, "nothing answers", 30.0)
        found = recipients_finding(settings, here.store)
        assert found is not None and "nothing answers" in found.sentence
    finally:
        here.database.dispose()
