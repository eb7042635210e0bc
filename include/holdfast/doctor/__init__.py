"""Doctor: looks at everything a backup needs before it is needed, and says what to mend."""

from holdfast.doctor.check import Check
from holdfast.doctor.examination import examine

__all__ = ["Check", "examine"]
