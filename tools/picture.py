#!/usr/bin/env python3
"""A picture of a page for README.md: tools/picture.py REPORT.html PICTURE.png [--height PIXELS]

Renders the top of the page, 1240 pixels wide, with chromium, without network. Exit: 0 done, 2 wrong use, 3 chromium
is missing or fails.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH = 1240


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/picture.py", description="A picture of a page.")
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--height", type=int, default=1262, help="default: %(default)s")
    options = parser.parse_args(arguments)
    if not options.page.is_file():
        print(f"error: [picture] {options.page}: expected a page, got none; run make train", file=sys.stderr)
        return 2
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("error: [picture] chromium: not found; apt-get install chromium fonts-dejavu-core", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as profile:
        made = Path(profile) / "picture.png"
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
                   f"--window-size={WIDTH},{options.height}", f"--screenshot={made}", options.page.resolve().as_uri()]  # fmt: skip
        run = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if run.returncode != 0 or not made.is_file():
            print(f"error: [picture] {program}: expected a picture, got {run.stderr.strip()[-400:]}", file=sys.stderr)
            return 3
        shutil.copyfile(made, options.picture)
    print(f"{options.picture}: {WIDTH} x {options.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
