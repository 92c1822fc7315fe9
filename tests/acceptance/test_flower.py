"""Flower shows workers and tasks to whoever logs in, and to nobody else."""

import base64
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support import services
from support.deployment import Deployment, wait_for
from support.http_status import status
from support.nodes import Flower

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # root may not have one
    "--disable-gpu",
    # it talks to Flower and to nobody else
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def extra_settings() -> dict[str, str]:
    """Flower's buttons are switched off."""
    return {"FLOWER_READ_ONLY": "true"}


@pytest.fixture
def flower(deployment: Deployment) -> Iterator[Flower]:
    """Flower, serving, before anything happens that it should show."""
    container = deployment.flower()
    wait_for(container.answers, timeout=30, what="Flower's page")
    yield container
    container.teardown()


@pytest.fixture
def page(flower: Flower) -> Iterator[Page]:
    """A page of a headless browser that knows Flower's login."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        services.absent("a browser", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser.new_context(
                http_credentials={"username": Flower.USER, "password": Flower.PASSWORD}
            ).new_page()
        finally:
            browser.close()


@pytest.mark.row("W4", "behind a login")
def test_flower_refuses_without_a_login(flower: Flower) -> None:
    """No page and no API without the password; health check and metrics need none; read-only, its buttons are dead."""
    right, wrong = f"{Flower.USER}:{Flower.PASSWORD}", f"{Flower.USER}:guess"
    for path in ("/", "/tasks", "/workers", "/api/workers", "/api/tasks"):
        assert status(flower.url + path) == 401, path
        assert status(flower.url + path, login=wrong) == 401, path
    for path in ("/healthcheck", "/metrics"):  # open, and docs/how-to/containers.md says so
        assert status(flower.url + path) == 200, path
    assert status(f"{flower.url}/api/tasks", login=right) == 200
    assert status(f"{flower.url}/api/worker/shutdown/worker@any", login=right, method="POST") == 403


@pytest.mark.row("W4", "workers and tasks, in a browser")
def test_flower_shows_workers_and_tasks(deployment: Deployment, page: Page, flower: Flower) -> None:
    """After the login a browser shows the worker online and each task with its state, and no content."""
    deployment.store("seen.txt", b"nobody should see this")
    page.goto(f"{flower.url}/workers")
    expect(page.locator("body")).to_contain_text("worker@", timeout=20_000)
    expect(page.locator("body")).to_contain_text("Online", timeout=20_000)
    page.goto(f"{flower.url}/tasks")
    row = page.locator("tr", has_text="tierkeeper.store").first
    expect(row).to_contain_text("SUCCESS", timeout=20_000)
    row.locator("a[href*='/task/']").first.click()
    expect(page.locator("body")).to_contain_text("seen.txt", timeout=20_000)
    encoded = base64.b64encode(b"nobody should see this").decode()
    assert encoded[:20] not in page.content()
