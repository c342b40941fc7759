from phase_diagrams.grid import Axis as Axis
from phase_diagrams.grid import Sampling as Sampling
from phase_diagrams.grid import Success as Success
from phase_diagrams.grid import SweepSpec as SweepSpec
from phase_diagrams.runner import sweep as sweep
from phase_diagrams.table import Trials as Trials
from phase_diagrams.table import load as load
from phase_diagrams.trial import Outcome as Outcome
