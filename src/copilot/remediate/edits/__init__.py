"""Each typed action as a strategic merge patch for the object as it is. Pure.

Only the way forward is written here, one function an action; `merging.inverse` finds the way back
from the same patch. `template` holds what changes a pod template, `others` everything else.
"""

from copilot.remediate.edits.others import OtherAction, other_edit
from copilot.remediate.edits.template import template_edit

__all__ = ["OtherAction", "other_edit", "template_edit"]
