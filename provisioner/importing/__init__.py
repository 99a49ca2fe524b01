"""In and out: a spreadsheet of phones and extensions, or what another system wrote (``foreign``), becomes a plan, the plan becomes rows, and the
rows become a spreadsheet again.

Preview and commit are two steps. ``preview_import`` writes nothing and says of every row what would happen or what is wrong;
``apply_plan`` judges the same rows once more inside its transaction, so that a plan that has grown old does no harm.
"""

from provisioner.importing.applying import apply_plan, preview_import
from provisioner.importing.exporting import export_csv
from provisioner.importing.foreign import FORMATS, Told
from provisioner.importing.foreign.archive import MAGIC as ZIP_MAGIC
from provisioner.importing.values import Difference, ImportMistake, ImportPlan, ImportResult, PlannedRow, plan_as_dict

__all__ = [
    "FORMATS",
    "ZIP_MAGIC",
    "Difference",
    "ImportMistake",
    "ImportPlan",
    "ImportResult",
    "PlannedRow",
    "Told",
    "apply_plan",
    "export_csv",
    "plan_as_dict",
    "preview_import",
]
