"""Rendering is pure and bounded: the same facts give the same bytes in any process, and a template gets at nothing."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from provisioner.core.catalogue import Catalogue, Vendor
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer, firmware_fits, split_address
from provisioner.core.values import Key, Line, PhoneConfig
from provisioner.errors import RenderError
from provisioner.worker.rendering import fingerprint

MODELS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")


def config(catalogue: Catalogue, model: str, **more: object) -> PhoneConfig:
    settings = {name: row.default for name, row in catalogue.settings.items()}
    settings |= {"sip_server": "pbx.example", "admin_password": "a", "user_password": "u", "timezone": "Europe/Amsterdam"}
    lines = (Line(1, "1001", "Zoë & Co", 's<e>c"ret', "Front"),)
    keys = (Key(0, 2, "blf", "1002", "Bob; <b>\n"), Key(0, 3, "speed_dial", "+31 20"))
    given = {"lines": lines, "keys": keys, "settings": settings, "provisioning_url": "http://h:8080/p/t/", "firmware": "1.2.3", **more}
    return PhoneConfig(mac=Mac("02acde000001"), model=model, **given)  # type: ignore[arg-type]


def hashes(catalogue: Catalogue) -> str:
    renderer = Renderer(catalogue)
    files = [file for model in MODELS for file in renderer.phone_files(config(catalogue, model))]
    return fingerprint(catalogue, ["x"]) + "".join(f" {file.name}:{file.sha256}" for file in files)


def test_same_facts_give_the_same_bytes_in_any_process(catalogue: Catalogue) -> None:
    code = "from provisioner.catalog import load_catalogue; from tests.core.test_render import hashes; print(hashes(load_catalogue()))"
    for seed in ("1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.strip() == hashes(catalogue), "the fingerprint too: another one would render every phone at every start"


def rendered(toy: Catalogue, template: str, **more: object) -> str:
    vendor = toy.vendors["acme"]
    made: Vendor = dataclasses.replace(vendor, templates={**vendor.templates, "device.acme.j2": template})
    renderer = Renderer(dataclasses.replace(toy, vendors={"acme": made}))
    return renderer.phone_files(config(toy, "acme/a1", **more))[0].body.decode()


@pytest.mark.parametrize(
    "template",
    [
        "{{ model.__class__ }}", "{{ lines[1].__init__.__globals__ }}", "{{ ''.__class__.__mro__ }}", "{{ settings.__class__ }}",
        "{{ '{0.__class__}'.format(model) }}", "{{ '{0.__class__}'.format_map(settings) }}", "{{ keys.append(1) }}", "{{ settings.update({}) }}",
        "{{ settings.clear() }}", "{% for line in lines.values() %}{{ loop.__class__ }}{% endfor %}", "{{ range(99999999) }}", "{{ nothing }}",
        "{{ settings.nothing }}", "{{ model.nothing }}", "{{ tz.__dict__ }}", "{{ label_of.__globals__ }}", "{{ None }}", "{{ 1 / 0 }}",
        "{% for a in range(4000) %}{% for b in range(400) %}x{% endfor %}{% endfor %}", "{% include 'device.acme.j2' %}", "{{ keys|attr('append') }}",
    ],
)  # fmt: skip
def test_template_that_reaches_out_fails_with_its_name(toy: Catalogue, template: str) -> None:
    for text in (
        template,
        f"{{{{ model.title }}}}{{{{ lines[1].label }}}}{{{{ settings.timezone }}}}{template}",
    ):  # remembered verdicts too
        try:
            made = rendered(toy, text)
        except (RenderError, RecursionError) as error:
            assert "s<e>c" not in str(error)
            assert isinstance(error, RecursionError) or error.template == "acme/templates/device.acme.j2"
        else:
            assert "class" not in made and "{" not in made and "Label" not in made, made


def test_verdict_on_a_type_is_remembered_for_its_good_attributes_alone(toy: Catalogue) -> None:
    twice = "{% for line in lines.values() %}{{ line.extension }}{{ line.label.upper() }}{{ loop.index }}{% endfor %}"
    assert rendered(toy, twice * 2) == "1001FRONT1" * 2
    with pytest.raises(RenderError, match="has no attribute '_extension'"):
        rendered(toy, twice + "{{ lines[1]._extension }}")


@pytest.mark.parametrize(
    ("firmware", "condition", "fits"),
    [
        ("108.86.0.90", "<x.84", False), ("108.83.0.90", "<x.84", True), ("1.0.11.57", ">=1.0.11", True), ("1.0.9", ">=1.0.11", False),
        ("6.4.0", "=6.4", True), ("6.4.0", "6.4", False), ("", "<9", False), ("x", "<9", False),
    ],
)  # fmt: skip
def test_firmware_condition(firmware: str, condition: str, fits: bool) -> None:
    assert firmware_fits(firmware, condition) is fits


@pytest.mark.parametrize(
    ("url", "hostport", "bare"),
    [
        ("http://h/p/t/", "h", "h/p/t"), ("https://h:443/p/t/", "h", "h/p/t"), ("http://h:8080/p/t/", "h:8080", "h:8080/p/t"),
        ("http://[fd00::1]:8080/p/", "[fd00::1]:8080", "[fd00::1]:8080/p"),
    ],
)  # fmt: skip
def test_address_in_pieces(url: str, hostport: str, bare: str) -> None:
    address = split_address(url)
    assert (address.hostport, address.bare) == (hostport, bare)
