"""Rate certificates (`theory.statistics.rates`), under the name they are known by."""

from theory.statistics.rates import FloorKind as FloorKind
from theory.statistics.rates import PrecisionLadder as PrecisionLadder
from theory.statistics.rates import RateCertificate as RateCertificate
from theory.statistics.rates import RateVerdict as RateVerdict
from theory.statistics.rates import Reason as Reason
from theory.statistics.rates import certify as certify
from theory.statistics.rates import precision_ladder as precision_ladder
