from lrs.core.family import Success as Success
from phase_diagrams.analysis.table import Trials as Trials
from phase_diagrams.analysis.table import load as load
from phase_diagrams.sweeps.grid import Axis as Axis
from phase_diagrams.sweeps.grid import Sampling as Sampling
from phase_diagrams.sweeps.grid import SweepSpec as SweepSpec
from phase_diagrams.sweeps.runner import sweep as sweep
from phase_diagrams.sweeps.trial import Calls as Calls
