"""Whatever happens, in whichever order: the machine of machine.py, driven by chance.

The same lives on every run, as many as CI has time for. Far more, and new ones each time:
`make test ARGS="tests/life --hypothesis-profile=long"`. A life that fails is printed step by step,
with the line that repeats it.
"""

from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.life.machine import Life

#: Nothing is made smaller: whoever was faster may differ when a life is lived again.
_LIFE = settings(
    max_examples=3,
    stateful_step_count=30,
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
_LONG = settings(_LIFE, max_examples=200, stateful_step_count=80)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("number", [1, 2])
def test_a_life_of_referrals_is_in_order_after_every_step(world, number):
    life = partial(Life, world)
    if settings.get_current_profile_name() == "long":
        run_state_machine_as_test(life, settings=_LONG)
    else:
        run_state_machine_as_test(seed(number)(life), settings=_LIFE)
