"""Drives a headless Chromium through chromedriver's own protocol (W3C WebDriver): no package."""

import contextlib
import json
import re
import subprocess
import urllib.request

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Page:
    """A window of the browser."""

    def __init__(self, address, folder, arguments=()):
        options = {"args": [*ARGUMENTS, f"--user-data-dir={folder}", *arguments]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = post(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"{address}/session/{made['sessionId']}"

    def open(self, path):
        post(f"{self._session}/url", {"url": path.as_uri()})

    def run(self, script, *arguments):
        """Runs the body of a JavaScript function and returns what it returns."""
        return post(f"{self._session}/execute/sync", {"script": script, "args": arguments})

    def console(self):
        """What the console says, also of scripts that failed and content that was blocked."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self, path):
        """The addresses that a page asked for, its own included, data URIs left out."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        asked = [one["request"]["url"] for one in sent if one["documentURL"] == path.as_uri()]
        return [address for address in asked if not address.startswith("data:")]

    def dialog(self):
        """The text of an alert that is open, if any."""
        try:
            return get(f"{self._session}/alert/text")
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def accept(self):
        """Closes an alert."""
        post(f"{self._session}/alert/accept", {})

    def close(self):
        request = urllib.request.Request(self._session, method="DELETE")
        urllib.request.urlopen(request).close()

    def _log(self, name):
        return post(f"{self._session}/se/log", {"type": name})


@contextlib.contextmanager
def driver():
    """Starts chromedriver on a free port; yields its address."""
    command = ["chromedriver", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "")
            port = next(found[1] for line in lines if (found := re.search(r"port (\d+)\.", line)))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def post(address, content):
    request = urllib.request.Request(address, json.dumps(content).encode(), method="POST")
    return get(request)


def get(request):
    with urllib.request.urlopen(request) as response:
        return json.load(response)["value"]
