"""The Hypothesis strategies of low rank + sparse, for tests of one's own.

>>> from hypothesis import given
>>> from property_tests.strategies import instances
>>> @given(instances())
... def test_my_solver(instance):
...     assert recovered(my_solver(instance.problem), instance.truth)  # doctest: +SKIP
"""

from property_tests.families.low_rank_sparse.strategies import CORNERS as CORNERS
from property_tests.families.low_rank_sparse.strategies import PAPER as PAPER
from property_tests.families.low_rank_sparse.strategies import PRACTICAL as PRACTICAL
from property_tests.families.low_rank_sparse.strategies import REGIONS as REGIONS
from property_tests.families.low_rank_sparse.strategies import SMALL as SMALL
from property_tests.families.low_rank_sparse.strategies import TINY as TINY
from property_tests.families.low_rank_sparse.strategies import TRACE_SHAPES as TRACE_SHAPES
from property_tests.families.low_rank_sparse.strategies import VIOLATIONS as VIOLATIONS
from property_tests.families.low_rank_sparse.strategies import SampleRegion as SampleRegion
from property_tests.families.low_rank_sparse.strategies import Sizes as Sizes
from property_tests.families.low_rank_sparse.strategies import datasets as datasets
from property_tests.families.low_rank_sparse.strategies import inside as inside
from property_tests.families.low_rank_sparse.strategies import instances as instances
from property_tests.families.low_rank_sparse.strategies import models as models
from property_tests.families.low_rank_sparse.strategies import shell as shell
from property_tests.families.low_rank_sparse.strategies import theorem_region as theorem_region
from property_tests.families.low_rank_sparse.strategies import traces as traces
from property_tests.families.low_rank_sparse.strategies import violating as violating
