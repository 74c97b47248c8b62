import subprocess
import sys

import pytest

import avpipe.report

LOADED = (
    "import sys, avpipe.report; avpipe.report.ScoredAnswer; print({'matplotlib', 'jinja2', 'torch'} & {*sys.modules})"
)


def test_scoring_loads_no_drawing():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_all_that_is_promised_is_there():
    assert all(getattr(avpipe.report, name).__module__.startswith("avpipe.report.") for name in avpipe.report.__all__)
    with pytest.raises(AttributeError, match="no_such_page"):
        _ = avpipe.report.no_such_page
