"""browser.py URL: what a user does when a sign-in page opens: types name and password, sends the form, and lets the browser follow
to the application. Clients start it through the variable BROWSER."""

import html
import re
import ssl
import sys
import urllib.parse
import urllib.request

USER, PASSWORD = "user@sealedbus.onmicrosoft.com", "emulator-password"


def fields_of(page):
    return {html.unescape(name): html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page)}


def send(opener, at, page, **typed):
    """Sends the page's form: the answer."""
    action = urllib.parse.urljoin(at, html.unescape(re.search(r'<form method="post" action="([^"]*)"', page)[1]))
    body = urllib.parse.urlencode({**fields_of(page), **typed}).encode()
    with opener.open(urllib.request.Request(action, body), timeout=30) as answer:
        return answer.url, answer.read().decode()


def main():
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    with opener.open(sys.argv[1], timeout=30) as answer:
        at, page = answer.url, answer.read().decode()
    at, page = send(opener, at, page, username=USER, password=PASSWORD)
    if 'name="code"' in page:  # a page that sends itself on
        send(opener, at, page)


if __name__ == "__main__":
    main()
