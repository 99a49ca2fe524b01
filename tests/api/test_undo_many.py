"""Undoing an import, a layout given to phones, and a swap, over the API: with its outlook, its parts and its preview."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.wiring import Installation
from tests.api.conftest import MAC, Api, errors, reason

OTHER = "02:ac:de:00:00:02"
CSV = f"mac,model,extension,display_name\r\n{MAC},acme/a1,1001,Ann\r\n{OTHER},acme/a1,1002,Bob\r\n"


def newest(admin: Api, action: str) -> int:
    return next(int(row["id"]) for row in admin.get("/changes").get_json()["items"] if row["action"] == action)


@pytest.fixture
def imported(admin: Api, phone: dict[str, Any]) -> int:
    answer = admin.post("/imports", {"csv": CSV, "commit": True})
    assert answer.get_json()["committed"], answer.get_data(as_text=True)
    return newest(admin, "import.commit")


def test_import_is_shown_thing_by_thing_and_page_by_page(admin: Api, imported: int) -> None:
    assert admin.get(f"/changes/{imported}").get_json()["action"] == "import.commit"
    first = admin.get(f"/changes/{imported}/parts?limit=2").get_json()
    rest = admin.get(f"/changes/{imported}/parts?limit=2&after={first['next']}").get_json()
    found = [(row["noun"], row["subject"], row["before"]) for row in first["items"] + rest["items"]]
    assert found == [("extension", "1001", {"display_name": "Alice"}), ("extension", "1002", None), ("phone", OTHER, None)]
    assert rest["next"] is None
    [row] = admin.get(f"/changes?subject={OTHER}").get_json()["items"]
    assert (row["id"], row["subject"], row["after"]["model"]) == (imported, OTHER, "acme/a1")
    for path in ("", "/parts", "/undo-outlook"):
        assert admin.get(f"/changes/999999{path}").status_code == 404


def test_import_is_undone_once_its_outlook_was_seen(admin: Api, imported: int) -> None:
    outlook = admin.get(f"/changes/{imported}/undo-outlook")
    assert outlook.get_json() == {"later": [], "since": [], "lost": []}
    admin.patch(f"/phones/{OTHER}", {"firmware": "2.0", "settings": {"voice_vlan": 7}})
    stale = admin.post(f"/changes/{imported}/undo", headers={"If-Match": outlook.headers["ETag"]})
    assert reason(stale) == "changed_meanwhile"
    refused = admin.post(f"/changes/{imported}/undo")
    assert reason(refused) == "needs_confirmation" and f"phone {OTHER} (firmware, voice_vlan)" in refused.get_json()["detail"]
    outlook = admin.get(f"/changes/{imported}/undo-outlook")
    assert outlook.get_json()["since"] == [
        {"noun": "phone", "subject": OTHER, "is_gone": False, "fields": ["firmware", "settings voice_vlan"]}
    ]
    meant = {"method": "POST", "path": f"/api/v1/changes/{imported}/undo", "body": {"over_later": True}}
    preview = admin.post("/preview", meant).get_json()
    assert {(row["mac"], row["change"]) for row in preview["phones"]} == {(OTHER, "taken_off")}
    assert admin.get(f"/phones/{OTHER}").status_code == 200, "a preview writes nothing"
    done = admin.post(f"/changes/{imported}/undo", {"over_later": True}, headers={"If-Match": outlook.headers["ETag"]})
    assert done.get_json() == {"action": "import.commit", "subject": "2 extensions, 1 phones", "lost": []}
    assert admin.get(f"/phones/{OTHER}").status_code == 404 == admin.get("/extensions/1002").status_code
    assert admin.get("/extensions/1001").get_json()["display_name"] == "Alice"


def test_import_that_cannot_go_back_names_what_stands_in_the_way(admin: Api, imported: int) -> None:
    admin.patch(f"/phones/{MAC}", {"lines": [{"line": 1, "extension": "1002"}]})
    refused = admin.post(f"/changes/{imported}/undo")
    assert refused.status_code == 422
    assert errors(refused) == {"extensions.1002": f"extension 1002 is on a line of {MAC}: take it off there first"}


def test_swap_is_undone_by_its_number(admin: Api, phone: dict[str, Any]) -> None:
    admin.post(f"/phones/{MAC}/swap", {"mac": OTHER})
    [row] = [row for row in admin.get(f"/changes?subject={OTHER}").get_json()["items"] if row["action"] == "phone.swap"]
    assert (row["before"], row["after"]) == ({"mac": MAC}, {"mac": OTHER})
    assert admin.post(f"/changes/{row['id']}/undo").get_json() == {"action": "phone.swap", "subject": MAC, "lost": []}
    assert admin.get(f"/phones/{MAC}").get_json()["keys"] == phone["keys"] and admin.get(f"/phones/{OTHER}").status_code == 404


def test_only_who_may_import_undoes_an_import(roles: dict[str, Api], imported: int) -> None:
    for role, status in (("viewer", 403), ("technician", 403), ("admin", 200)):
        assert roles[role].post(f"/changes/{imported}/undo").status_code == status


def test_technician_of_a_site_undoes_what_was_of_that_site_alone(admin: Api, app: Any, imported: int, installation: Installation) -> None:
    admin.post("/sites", {"name": "oslo"})
    admin.patch(f"/phones/{OTHER}", {"site": "oslo"})
    admin.put("/layouts/Sales", {"keys": [{"key": 2, "type": "speed_dial", "value": "112"}]})
    oslo = Api(app, installation.changes.create_token("tests", "oslo", "technician", sites=["oslo"]))
    admin.post("/layouts/Sales/phones", {"phones": [MAC, OTHER]})
    of_both = newest(admin, "layout.assign")
    assert oslo.get(f"/changes/{of_both}").status_code == 404 == oslo.post(f"/changes/{of_both}/undo").status_code
    assert oslo.get(f"/changes/{of_both}/parts").status_code == 404 == oslo.get(f"/changes/{imported}").status_code
    [row] = [row for row in oslo.get(f"/changes?subject={OTHER}").get_json()["items"] if row["id"] == of_both]
    assert row["after"] == {"layout": "Sales"} and row["phones"] == 1, "nothing is told of phones beyond"
    assert oslo.get(f"/changes?subject={MAC}").get_json()["items"] == []
    admin.post(f"/changes/{of_both}/undo")
    admin.post("/layouts/Sales/phones", {"phones": [OTHER]})
    of_one = newest(admin, "layout.assign")
    assert oslo.post(f"/changes/{of_one}/undo").status_code == 200
    assert admin.get(f"/phones/{OTHER}").get_json()["layout"] is None
    admin.post(f"/phones/{OTHER}/swap", {"mac": "02:ac:de:00:00:0c"})
    swap = newest(admin, "phone.swap")
    assert oslo.post(f"/changes/{swap}/undo").status_code == 200
    assert oslo.get(f"/phones/{OTHER}").status_code == 200
    assert oslo.post(f"/changes/{newest(admin, 'import.commit')}/undo").status_code in {403, 404}
