"""The page of a report in a real browser: never wider than the window, in light and dark, and nothing is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver

from segue import Project
from segue.report.page import page

pytestmark = [pytest.mark.service, pytest.mark.browser]
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Debian's Chromium with a profile of its own; the set-up installs it."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium is not installed: apt-get install chromium"
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Driver(shutil.which("chromedriver") or "apt-get install chromium-driver"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def written(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(Project.open(made).report()), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_nothing_is_wider_than_the_window(browser, written, width, scheme):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(f"file://{written}")
    browser.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    colours = browser.execute_script("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
    light = [sum(int(part) for part in colour.strip("rgb()").split(",")) for colour in colours]
    assert (light[0] < light[1]) == (scheme == "light")
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert not browser.get_log("browser")


def test_every_plot_is_named_for_who_cannot_see_it(browser, written):
    browser.get(f"file://{written}")
    unnamed = """return [...document.querySelectorAll('svg')].filter((svg) => svg.getAttribute('role') !== 'img'
        || !svg.querySelector('title').textContent).length"""
    assert browser.execute_script(unnamed) == 0
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
