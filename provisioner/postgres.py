"""What PostgreSQL's driver is told of our texts. Imported only where the database is one."""

from __future__ import annotations

from typing import Any

from psycopg.types.string import StrDumperUnknown


class WithoutNUL(StrDumperUnknown):
    """PostgreSQL has no NUL in texts, and a batch of observations must not fail because a stranger sent one. Looked for, it finds nothing."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))
