"""QR codes as drawings that stand in a page: made here, nothing is asked of anybody."""

from __future__ import annotations

import segno


def qr_code(text: str) -> str:
    """Returns the SVG of a QR code of ``text``, dark on white in every theme, with the quiet zone that readers need (ISO/IEC 18004: four modules)."""
    return str(segno.make(text, error="m", micro=False).svg_inline(scale=5, border=4, dark="#000", light="#fff"))
