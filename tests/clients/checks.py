"""A suite of named checks, one after another; each says "ok" or "FAILED" on a line of its own, and close() the totals."""

import contextlib
import sys
import time
import traceback


class Suite:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = 0

    @contextlib.contextmanager
    def check(self, what):
        """The block is the check; what it raises is shown and the suite goes on."""
        began = time.monotonic()
        try:
            yield
        except Exception as e:
            self.failed += 1
            # The client's own frames say little: the line of the check and what was raised say most.
            line = traceback.extract_tb(e.__traceback__)[1]
            said = "".join(traceback.format_exception_only(e))
            print(f"FAILED {self.name}: {what}\n  line {line.lineno}: {line.line}\n{said}", flush=True)
        else:
            self.passed += 1
            print(f"ok     {self.name}: {what} ({time.monotonic() - began:.1f} s)", flush=True)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


@contextlib.contextmanager
def raises(kind, **attributes):
    """The block must raise this kind of exception, with these attributes."""
    try:
        yield
    except kind as e:
        got = {name: getattr(e, name, None) for name in attributes}
        assert got == attributes, f"{type(e).__name__} with {got}, expected {attributes}: {e}"
    else:
        raise AssertionError(f"no {kind.__name__}")
