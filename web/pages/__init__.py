"""The pages, one module each: a blueprint with its views."""

from web.pages import (
    changes,
    dashboard,
    extensions,
    help_,
    imports,
    key_copies,
    keys,
    layouts,
    models,
    own,
    pbx,
    people,
    phone,
    phone_edit,
    phones,
    sightings,
    sign_in,
    sites,
)

PAGES = (
    sign_in.pages, own.pages, dashboard.pages, phones.pages, phone_edit.pages, phone.pages, keys.pages, key_copies.pages, layouts.pages, sightings.pages, extensions.pages, sites.pages,
    models.pages, imports.pages, pbx.pages, changes.pages, people.pages, help_.pages,
)  # fmt: skip
