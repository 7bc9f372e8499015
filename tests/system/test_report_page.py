"""The report of a real roll in a real browser: it renders, and it says what the roll was."""

import os
import shutil
import subprocess
import tempfile

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=2000",
)


@pytest.fixture
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium must be installed in CI")
        pytest.skip("chromium is not installed")
    return found


def test_report_shows_the_roll_in_a_browser(start_line, browser):
    line = start_line(source__defects_per_m=5.0)
    code, _, err = line.finish()
    assert code == 0, err
    manifest = line.manifest()
    with tempfile.TemporaryDirectory() as profile:
        shown = subprocess.run(
            [
                browser,
                *FLAGS,
                f"--user-data-dir={profile}",
                "--dump-dom",
                (line.folder / "report.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        ).stdout
    defects = manifest["totals"]["defects"]
    assert defects > 0
    assert f"{defects} defect" in shown
    assert manifest["digests"]["scores"][:16] in shown
    assert shown.count("data:image/") >= defects
    assert "http://" not in shown.replace("http://www.w3.org", "")
    assert "https://" not in shown
