"""What people do on the page, in a browser; axe looks at every state."""

import re
from collections.abc import Callable
from pathlib import Path

from flask.testing import FlaskClient
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SCREENSHOTS, keep, violations

Opened = Callable[..., Page]
SHOWN = Path(__file__).parents[2] / "docs" / "images" / "page.png"
WIDE = {"width": 1440, "height": 900}
README = {"width": 1440, "height": 1210}


def test_serving_answers_at_once_and_follows_a_slider(opened: Opened) -> None:
    page = opened("/", viewport=WIDE)
    expect(page.locator("#growth-table table")).to_be_visible()
    keep(page, "serve")
    taken = page.screenshot(path=SCREENSHOTS / "readme.png", clip={"x": 0, "y": 0, **README})
    assert taken[16:24] == SHOWN.read_bytes()[16:24]  # width and height of a PNG
    assert violations(page) == []
    before = page.locator("#answer").inner_text()
    users = page.get_by_role("slider", name="Users at once, slider")
    for _ in range(6):
        users.press("ArrowRight")
    expect(page.locator("#answer")).not_to_have_text(before)
    expect(page.get_by_label("Users at once", exact=True)).to_have_value("128")
    assert "concurrency=128" in page.url
    expect(page.get_by_role("status")).to_contain_text("for meta-llama/Llama-3.3-70B")


def test_a_term_opens_to_its_formula_numbers_and_source(opened: Opened) -> None:
    page = opened("/?model=llama-3.1-8b&ctx=8192&users=32&gpu=l40s-48gb&quantization=none")
    term = page.locator("details.term", has_text="KV cache")
    term.locator("summary").press("Enter")
    expect(term.locator(".formula")).to_be_visible()
    expect(term.locator(".values")).to_contain_text("Context tokens")
    expect(term.locator(".values")).to_contain_text("8,192")
    expect(term.locator(".source")).to_contain_text("Source:")
    keep(page, "term")
    assert violations(page) == []


def test_training_shows_its_phases_side_by_side(opened: Opened) -> None:
    page = opened("/?kind=training", viewport=WIDE)
    expect(page.locator("svg.phases")).to_have_accessible_name(
        re.compile(r"forward and loss [\d.]+ GiB; backward .* GiB; last .*; optimizer step .* GiB")
    )
    keep(page, "train")
    assert violations(page) == []
    page.get_by_label("What is trained").select_option("qlora")
    expect(page.locator(".details")).to_contain_text("qlora with adamw")
    assert "method=qlora" in page.url


def test_nothing_fits_and_the_page_says_what_would_help(opened: Opened) -> None:
    page = opened(
        "/?model=llama-3.3-70b&gpu=h100-sxm5-80gb&max_cards=2&ctx=32k&users=16", viewport=WIDE
    )
    expect(page.locator("#answer")).to_have_text("Nothing fits")
    expect(page.locator("section", has=page.locator("#fewer"))).to_contain_text("It would fit with")
    keep(page, "nothing-fits")
    assert violations(page) == []
    page.locator(".advice a").first.click()
    expect(page.locator("#answer")).not_to_have_text("Nothing fits")


def test_bad_input_is_named_at_its_field_and_mended_by_a_click(opened: Opened) -> None:
    page = opened("/?model=llama-3.1-8b&context_tokens=many")
    expect(page.get_by_label("Context, tokens", exact=True)).to_have_attribute(
        "aria-invalid", "true"
    )
    keep(page, "bad-input")
    assert violations(page) == []
    page.get_by_label("Context, tokens", exact=True).fill("4k")
    page.get_by_label("Name or size").fill("lama-3.1-8b")
    page.get_by_role("button", name="llama-3.1-8b", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("×")
    expect(page.locator("[aria-invalid]")).to_have_count(0)


def test_a_shared_link_shows_the_same_answer(opened: Opened) -> None:
    page = opened("/?model=qwen2.5-72b&gpu=h200-sxm5-141gb")
    page.get_by_label("Context, tokens", exact=True).fill("16k")
    page.wait_for_url(lambda url: "context_tokens=16k" in url)
    link = page.get_by_label("Link").input_value()
    shared = opened(link)
    assert shared.locator("#answer").inner_text() == page.locator("#answer").inner_text()
    expect(shared.get_by_label("Context, tokens", exact=True)).to_have_value("16k")


def test_every_form_is_copied_and_the_curl_answers(opened: Opened, client: FlaskClient) -> None:
    page = opened("/", permissions=["clipboard-read", "clipboard-write"])
    labels = page.locator("[data-copy]").all()
    for button in labels:
        button.click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator(f"#{button.get_attribute('data-copy')}").input_value()
    curl = page.get_by_label("curl").input_value()
    answer = client.get(curl.split("'")[1])
    assert answer.json["recommendation"]["cards"] == int(page.locator("#answer b").inner_text())


def test_a_pasted_config_is_planned_and_stands_in_the_link(opened: Opened) -> None:
    page = opened("/")
    config = (
        '{"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,\n'
        '"num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4,\n'
        '"vocab_size": 32000, "max_position_embeddings": 2048}'
    )
    page.get_by_label("Context, tokens", exact=True).fill("2048")
    page.get_by_text("Paste a config.json").click()
    page.get_by_label("The model's config.json").fill(config)
    expect(page.locator(".model")).to_contain_text("posted config")
    page.wait_for_url(lambda url: "config=" in url)
    assert page.get_by_label("curl").input_value().count("-d ") == 1


def test_models_are_offered_and_cards_narrowed_as_one_types(opened: Opened) -> None:
    page = opened("/")
    page.get_by_label("Name or size").focus()
    offered = page.locator("#models option[value='qwen2.5-72b']")
    expect(offered).to_be_attached()
    page.get_by_text("More cards").click()
    page.get_by_label("Narrow the list").fill("mi325")
    expect(page.locator(".group .tick:visible")).to_have_count(1)
    page.get_by_label("MI325X").check()
    page.wait_for_url(lambda url: "mi325x" in url)
    assert violations(page) == []


def test_without_javascript_the_form_does_it_all(opened: Opened) -> None:
    page = opened("/", java_script_enabled=False, viewport=WIDE)
    assert page.get_by_role("slider").count() == 0
    page.get_by_label("Users at once", exact=True).fill("128")
    page.get_by_role("button", name="Work it out").click()
    expect(page.get_by_label("Users at once", exact=True)).to_have_value("128")
    expect(page.locator("#answer")).to_contain_text("×")
    expect(page.locator("svg.bar")).to_be_visible()
    keep(page, "no-javascript")
    page.get_by_role("link", name="By users and context").click()
    expect(page.locator("table.growth")).to_be_visible()


def test_dark_is_dark_and_readable(opened: Opened) -> None:
    page = opened("/", color_scheme="dark", viewport=WIDE)
    expect(page.locator("#growth-table table")).to_be_visible()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(20, 23, 26)"
    keep(page, "dark")
    assert violations(page) == []


def test_a_phone_of_360_pixels_needs_no_sideways_scrolling(opened: Opened) -> None:
    page = opened("/", viewport={"width": 360, "height": 740})
    expect(page.locator("#growth-table table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    keep(page, "phone")
    assert violations(page) == []


def test_the_keyboard_alone_gets_everywhere(opened: Opened) -> None:
    page = opened("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the answer")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("details.term summary").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("details.term .why").first).to_be_visible()


def test_what_was_open_and_focused_stays_so_when_the_answer_changes(opened: Opened) -> None:
    page = opened("/")
    page.locator("details.term summary").first.click()
    page.get_by_label("Users at once", exact=True).fill("1")
    page.wait_for_url(lambda url: "concurrency=1&" in url)
    expect(page.locator("details.term .why").first).to_be_visible()
    expect(page.get_by_label("Users at once", exact=True)).to_be_focused()


def test_an_answer_that_is_overtaken_is_dropped(opened: Opened) -> None:
    page = opened("/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/page/results?*concurrency=3&*", hold)
    users = page.get_by_label("Users at once", exact=True)
    users.fill("3")
    page.wait_for_timeout(400)
    users.fill("64")
    page.wait_for_url(lambda url: "concurrency=64&" in url)
    assert len(held) == 1
    assert held[0].request.failure == "net::ERR_ABORTED"


def test_a_failure_on_the_way_is_said_and_the_last_answer_stays(opened: Opened) -> None:
    page = opened("/")
    shown = page.locator("#answer").inner_text()
    page.route("**/page/results?*", lambda route: route.fulfill(status=413, body="no"))
    page.get_by_label("Users at once", exact=True).fill("3")
    expect(page.locator(".failure")).to_contain_text("the service answered 413")
    page.get_by_text("Paste a config.json").click()
    page.get_by_label("The model's config.json").fill('["' + "x" * 9000 + '"]')
    expect(page.get_by_role("status")).to_contain_text("POST the config")
    expect(page.locator("#answer")).to_have_text(shown)


def test_paper_shows_the_answer_without_the_form(opened: Opened) -> None:
    page = opened("/")
    page.emulate_media(media="print")
    expect(page.locator("#question")).to_be_hidden()
    expect(page.locator("svg.bar")).to_be_visible()
    keep(page, "print")


def test_the_reference_tries_a_call_out(opened: Opened) -> None:
    page = opened("/docs")
    page.locator("#operations-operations-live button").first.click()
    page.get_by_role("button", name="Execute").first.click()
    expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(
        "200"
    )
    keep(page, "docs")
