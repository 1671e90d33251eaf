"""Runs az commands, one a line of standard input (a JSON list of words), with the CLI's own entry point; answers each with a
line {"status", "out", "err"}. Loading the CLI takes longer than what most commands do: here it is loaded once. For az's own
Python."""

import json
import os
import sys
import tempfile

from azure.cli.core import get_default_cli

answers = os.fdopen(os.dup(1), "w")


def run(words):
    """(status, what it wrote to standard output, to standard error)"""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            status = get_default_cli().invoke(words)
        except SystemExit as e:
            status = e.code
        sys.stdout.flush()
        sys.stderr.flush()
        written = []
        for f in (out, err):
            f.seek(0)
            written.append(f.read().decode(errors="replace"))
    return (status or 0, *written)


for line in sys.stdin:
    print(json.dumps(dict(zip(("status", "out", "err"), run(json.loads(line))))), file=answers, flush=True)
