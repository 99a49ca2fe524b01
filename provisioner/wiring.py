"""Builds an installation from its settings: the one place where objects meet. Everything else takes what it needs as arguments."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from provisioner.accounts import Accounts, ProviderSignIn, open_provider_sign_in
from provisioner.changes import Changes, open_changes
from provisioner.changes.scoped import ScopedChanges
from provisioner.core.catalogue import Catalogue
from provisioner.core.render import Renderer
from provisioner.db import Database
from provisioner.kept_catalogue import load_kept_catalogue
from provisioner.key_mark import open_box
from provisioner.migrate import upgrade
from provisioner.scope import Scope
from provisioner.secrets import SecretBox
from provisioner.settings import Settings
from provisioner.store import Store
from provisioner.store.scoped import ScopedStore

_shared: dict[Path, Catalogue] = {}


@dataclass(frozen=True)
class Installation:
    """What every process of an installation shares by construction, not by memory."""

    settings: Settings
    database: Database
    box: SecretBox
    catalogue: Catalogue
    renderer: Renderer
    store: Store
    changes: Changes
    accounts: Accounts
    provider: ProviderSignIn | None
    """Signing in by the provider of the settings; None: they name none."""


def open_installation(settings: Settings, *, create: bool = False) -> Installation:
    """Returns the installation, its database migrated. With ``create`` folder, key and database are made where they are missing."""
    if create:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    database = Database(settings.database)
    upgrade(database)
    # A new key beside a database that was sealed with another one would open nothing of it, and hide that the old one is lost.
    box = open_box(database, settings.data_dir, create=create)
    catalogue = _shared.get(settings.catalogue_dir) or _catalogue(settings)
    return assembled(settings, database, box, catalogue, Renderer(catalogue))


def _catalogue(settings: Settings) -> Catalogue:
    """Returns the catalogue with the files of one's own that are in use; where none are, what reads them is not even imported."""
    if settings.overlay_dir is None or not (settings.data_dir / "catalogue.kept").is_dir():
        return load_kept_catalogue(settings.catalogue_dir)
    from provisioner.overlay import OverlayPlace, catalogue_in_use

    return catalogue_in_use(OverlayPlace.of(settings))


def share_catalogue(catalogue: Catalogue, folder: Path) -> None:
    """Has this process, and those that it forks from now on, use a catalogue that was loaded from ``folder``: reading it takes half a second of each."""
    _shared[folder] = catalogue


def assembled(
    settings: Settings,
    database: Database,
    box: SecretBox,
    catalogue: Catalogue,
    renderer: Renderer,
    clock: Callable[[], float] = time.time,
) -> Installation:
    """Returns the installation of parts that are there already: a migrated database and its key, a catalogue and its renderer."""
    store = Store(
        database,
        box,
        catalogue,
        base_url=settings.provisioning_base,
        installation={"sip_server": settings.host, "sip_port": settings.sip_bind.port},
    )
    changes = open_changes(store, renderer, settings, clock)
    accounts = Accounts(store, changes, settings)
    provider = open_provider_sign_in(store, changes, accounts, settings)
    return Installation(settings, database, box, catalogue, renderer, store, changes, accounts, provider)


def within(whole: Installation, scope: Scope) -> Installation:
    """Returns an installation of which only what the scope reaches is read and written."""
    seen = ScopedStore(whole.store, scope)
    return replace(whole, store=seen, changes=ScopedChanges(whole.changes, seen, scope))
