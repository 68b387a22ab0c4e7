"""The same spikes and weights as Brian2's numpy, on networks without chance."""

from __future__ import annotations

import numpy as np
import pytest
from native_models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_results_are_those_of_numpy(name, native, on_numpy):
    expected = on_numpy(MODELS[name])
    found = MODELS[name]()
    assert len(expected["i"]) > 20
    for key, values in expected.items():
        if values.dtype.kind == "i":
            np.testing.assert_array_equal(found[key], values, err_msg=key)
        else:
            np.testing.assert_allclose(found[key], values, rtol=1e-12, atol=1e-14, err_msg=key)
