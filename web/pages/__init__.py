"""The pages, one module each: a blueprint with its views."""

from web.pages import (
    backups,
    calls,
    changes,
    dashboard,
    enrolment,
    extensions,
    help_,
    imports,
    install,
    key_copies,
    keys,
    layouts,
    models,
    notices,
    own,
    own_codes,
    pbx,
    people,
    phone,
    phone_edit,
    phone_install,
    phones,
    provider,
    redirects,
    sightings,
    sign_in,
    sites,
    webhooks,
)

PAGES = (
    sign_in.pages, provider.pages, own.pages, own_codes.pages, dashboard.pages, phones.pages, phone_edit.pages, phone.pages, phone_install.pages, install.pages, keys.pages, key_copies.pages, layouts.pages, sightings.pages, enrolment.pages, redirects.pages, extensions.pages, calls.pages, sites.pages,
    models.pages, imports.pages, pbx.pages, changes.pages, people.pages, notices.pages, webhooks.pages, backups.pages, help_.pages,
)  # fmt: skip
