"""README.md: its Python example runs as it stands, and every file and target that it names is there."""

import re
import subprocess
import sys

from conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_python_example_runs():
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    code += "assert x.grad.shape == x.shape and y.shape == (8, 4) and codes.dtype == torch.int8\n"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_cpp_example_is_the_consumer_of_examples():
    consumer = (ROOT / "examples/consumer/main.cpp").read_text()
    for line in ("QATConv2dOptions(1, 8, 3).padding(1)", "QATLinearOptions(8 * 14 * 14, 10).weight_bits(4).group_size(32)",
                 'QConfig::preset("int8")', "samebits::convert(net", "samebits::verify(net"):
        assert line in README and line in consumer


def test_links_lead_to_files():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
