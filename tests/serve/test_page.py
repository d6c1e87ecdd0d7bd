"""The page in a real browser: pick a person, see the list with reasons, click, see the next list change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from segue.data.journal.journal import SQLiteJournal
from segue.domain.events import Event
from tests.serve.conftest import Running

pytestmark = [pytest.mark.service, pytest.mark.browser]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


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


def opened(browser: webdriver.Chrome, up: Running, query: str = "") -> None:
    browser.get(f"http://127.0.0.1:{up.service.port}/{query}")


def until(browser: webdriver.Chrome, true: Callable[[], Any]) -> None:
    WebDriverWait(browser, 15, poll_frequency=0.05).until(lambda _: true())


def cards(browser: webdriver.Chrome) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, ".card")


def shown(browser: webdriver.Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('.card')].map((card) => card.dataset.item)"
    return list(browser.execute_script(script))


def decision(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return document.querySelector('main').dataset.decision"))


def sent(up: Running, person: str) -> list[Event]:
    """What of a person the journal or the lake has, in the order of arrival."""
    from segue.data.journal.log import Log
    from segue.data.lake.lake import Lake

    journal = SQLiteJournal(up.workspace / "journal")
    rows = Log(Lake(up.workspace / "lake"), journal).events().collect().to_dicts()
    journal.close()
    mine = [row for row in rows if person in (row["user"], row["visitor"]) and row["decision"] is not None]
    return [
        Event(row["id"], row["type"], item=row["item"], decision=row["decision"], position=row["position"])
        for row in mine
    ]


def test_picked_clicked_and_the_next_list_is_another(browser: webdriver.Chrome, up: Running) -> None:
    opened(browser, up)
    search = browser.find_element(By.ID, "person")
    search.send_keys("person 17")
    until(browser, lambda: texts(browser, "#people [role=option]") == ["Person 1713 events"])
    search.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    until(browser, lambda: texts(browser, "#name") == ["Person 17"])
    before, first = shown(browser), decision(browser)
    assert len(before) == 12
    clicked = before[2]
    browser.execute_script("arguments[0].click()", cards(browser)[2].find_element(By.CSS_SELECTOR, ".pick"))
    until(browser, lambda: decision(browser) != first)
    after = shown(browser)
    assert clicked not in after
    assert after != before
    assert browser.find_element(By.CSS_SELECTOR, ".past li").get_attribute("data-past") == clicked
    assert "After “" in browser.find_element(By.ID, "turned").text
    assert [(each.type, each.item, each.position) for each in sent(up, "u17") if each.type == "click"] == [
        ("click", clicked, 2)
    ]
    assert all(each.decision == first for each in sent(up, "u17") if each.type == "click")
    assert not severe(browser)


def test_impressions_of_what_was_in_view_arrive_and_of_the_rest_do_not(browser: webdriver.Chrome, up: Running) -> None:
    opened(browser, up, "?user=u18")
    listed, made = shown(browser), decision(browser)
    until(browser, lambda: any(each.type == "impression" for each in sent(up, "u18")))
    seen = [each for each in sent(up, "u18") if each.type == "impression"]
    assert 0 < len(seen) < len(listed)
    assert all(each.decision == made and listed[each.position or 0] == each.item for each in seen)
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    until(browser, lambda: max(each.position or 0 for each in sent(up, "u18")) == len(listed) - 1)
    ids = [each.id for each in sent(up, "u18")]
    assert len(ids) == len(set(ids))


def test_reasons_open_and_their_parts_sum_to_the_score(browser: webdriver.Chrome, up: Running) -> None:
    opened(browser, up, "?user=u19&surface=plain")
    card = cards(browser)[0]
    card.find_element(By.TAG_NAME, "summary").click()
    numbers = [float(cell.text) for cell in card.find_elements(By.CSS_SELECTOR, ".number")]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.005)
    assert "certain" in card.find_element(By.TAG_NAME, "dl").text


def test_someone_new_gets_a_list_for_everyone_until_they_click(browser: webdriver.Chrome, up: Running) -> None:
    opened(browser, up, "?new=1")
    assert "visitor=guest-" in browser.current_url
    assert "not personal" in browser.find_element(By.CSS_SELECTOR, "p.note[role=note]").text
    first = decision(browser)
    cards(browser)[0].find_element(By.CSS_SELECTOR, ".pick").click()
    until(browser, lambda: decision(browser) != first)
    assert not browser.find_elements(By.CSS_SELECTOR, "p.note[role=note]")


def test_titles_are_text_and_nothing_comes_from_elsewhere(browser: webdriver.Chrome, up: Running) -> None:
    opened(browser, up, "?user=%3Cscript%3Ealert(1)%3C/script%3E")
    assert browser.find_element(By.ID, "name").text == "<script>alert(1)</script>"
    assert "thing <" in cards(browser)[0].text
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert all(str(name).startswith((f"http://127.0.0.1:{up.service.port}/", "data:")) for name in loaded)
    assert not severe(browser)


def test_the_whole_decision_can_be_read(browser: webdriver.Chrome, up: Running) -> None:
    opened(browser, up, "?user=u20")
    browser.find_element(By.ID, "show-raw").click()
    until(browser, lambda: '"candidates"' in browser.find_element(By.CSS_SELECTOR, "#raw pre").text)


@pytest.mark.parametrize("width", [360, 900, 1600])
def test_nothing_is_wider_than_the_window(browser: webdriver.Chrome, up: Running, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    opened(browser, up, "?user=u21")
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        browser.execute_script("document.body.style.letterSpacing = '1px'")  # as with a wider font than is here
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    """The text of all that the selector finds, read at one moment."""
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
    return list(browser.execute_script(script, selector))


def severe(browser: webdriver.Chrome) -> list[Any]:
    """What the browser complained of, such as what the content security policy refused."""
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
