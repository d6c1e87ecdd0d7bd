"""The demo that stays up: Ctrl-C ends it, and the service with it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.service]

SMALL = """
import sys
from pathlib import Path
from segue.demo import make_fresh
from segue.demo.shop import Scale, on_a_shop
from segue.demo.telling import Teller

make_fresh(Path(sys.argv[1]))
on_a_shop(Path(sys.argv[1]), Teller(), stay=True, scale=Scale(people=200, items=150, visits=60, last_visits=30))
"""


def test_ctrl_c_ends_the_demo_and_its_service(tmp_path):
    command = [sys.executable, "-c", SMALL, str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        url = next(found[1] for line in demo.stdout if (found := re.search(r"Open (\S+) and look", line)))
        with urllib.request.urlopen(url, timeout=10) as page:
            assert page.status == 200
        demo.send_signal(signal.SIGINT)
        assert demo.wait(40) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=2)
