"""python -m samebits --version: which samebits this is."""

import argparse

from samebits import __version__


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m samebits",
        description="The operators of samebits for torch: import samebits, then torch.ops.samebits.*.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args()
    parser.print_help()


if __name__ == "__main__":
    main()
