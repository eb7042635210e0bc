"""Doctor: looks at everything a backup needs before it is needed, and says what to mend."""

from holdfast.doctor.examination import examine
from holdfast.values.check import Check

__all__ = ["Check", "examine"]
