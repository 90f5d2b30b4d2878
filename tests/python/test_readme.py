"""README.md and docs/: the Python example runs as it stands, and every file, function and target that they name is there."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def tracked_files() -> list[str]:
    return subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()


def test_the_python_example_runs():
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    code += "assert x.grad.shape == x.shape and y.shape == (8, 4) and codes.dtype == torch.int8\n"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_cpp_example_is_the_consumer_of_examples():
    consumer = (ROOT / "examples/consumer/main.cpp").read_text()
    for line in ("QATConv2dOptions(1, 8, 3).padding(1)", "QATLinearOptions(8 * 14 * 14, 10).weight_bits(4).group_size(32)",
                 "fc(torch::max_pool2d(torch::relu(conv(x)), 2).flatten(1))",
                 'QConfig::preset("int8")', "samebits::convert(net", "samebits::verify(net"):
        assert line in README and line in consumer


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_mention_of_a_page_names_one_that_is_there():
    missing = []
    for path in tracked_files():
        if path.startswith("tests/python/test_tables") or not re.search(r"\.(h|cpp|cu|cuh|py|sh|md|yaml|txt|toml)$|Makefile", path):
            continue
        file = ROOT / path
        text = file.read_text(errors="replace") if file.is_file() else ""
        missing += [f"{path}: {page}" for page in re.findall(r"(?<![\w/.])docs/[\w/]+\.md", text) if not (ROOT / page).exists()]
    assert missing == []


def test_folders_of_the_map_are_those_of_the_tree():
    map_of_folders = README[README.index("## Map") :]
    named = {folder for line in map_of_folders.split("\n") if line.startswith("| `") for folder in re.findall(r"`(\w+)/`", line.split("|")[1])}
    assert named == {path.split("/")[0] for path in tracked_files() if "/" in path and not path.startswith(".")}


def test_every_folder_says_what_belongs_there():
    sources = [path.rpartition("/")[0] for path in tracked_files() if re.search(r"\.(h|cpp|cu|cuh|py|sh|md|yaml)$", path)]
    # kernels/README.md explains the folders of a theme, graph/ops/README.md the themes of operators, tests/README.md
    # those that mirror another, and a project of examples/ is a program.
    explained = re.compile(r"/(cpu|cuda|reference|int8|int4|bf16|ops)(/|$)|^(tests/(?!benchmark|cuda|fuzz|python)|examples/|include/|python/)|^$")
    folders = {folder for folder in sources if not explained.search(folder) and not folder.startswith(".")}
    assert sorted(folder for folder in folders if not (ROOT / folder / "README.md").is_file()) == []


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: {target}"


def path_of_one_number() -> list[tuple[str, list[str]]]:
    """(file, functions) of each step, the first of which the file has."""
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| \d+ \| `([^`]+)` \| (.*?) \|", text, re.MULTILINE)
    return [(file, [name.split("::")[-1] for name in re.findall(r"`([\w:]+)`", cell)]) for file, cell in rows]


@pytest.mark.parametrize(("file", "functions"), path_of_one_number())
def test_the_path_of_one_number_passes_functions_that_are_there(file, functions):
    own = (ROOT / file).read_text()
    assert not functions or re.search(rf"\b{functions[0]}\b", own), functions[0]
    product = re.compile(r"^(?!tests/|examples/).*\.(h|cpp)$")
    code = "\n".join((ROOT / path).read_text() for path in tracked_files() if product.match(path) and (ROOT / path).is_file())
    assert [name for name in functions if not re.search(rf"\b{name}\b", code)] == []


def test_the_path_of_one_number_is_computed_as_it_says():
    numpy = pytest.importorskip("numpy")
    weight_scale = numpy.float32(0.5) / numpy.float32(127)
    x_scale = numpy.float32(5.1) * numpy.float32(0.5) / numpy.float32(127.5)
    weight_code = int(numpy.rint(numpy.float32(0.0371) / weight_scale))
    x_code = int(numpy.rint(numpy.float32(1.3) / x_scale)) - 128
    assert (weight_code, x_code) == (9, -63)
    assert f"{x_scale:.2f}" == "0.02"
    assert f"{(x_code + 128) * weight_code * float(x_scale * weight_scale):.3f}" == "0.046"


@pytest.mark.parametrize(
    ("page", "path", "code", "expected"),
    [
        ("missing.html", "/usr/bin", 2, "error: [picture] missing.html: expected a page, got none; run make train\n"),
        ("page.html", "", 3, "error: [picture] chromium: not found; apt-get install chromium fonts-dejavu-core\n"),
    ],
)
def test_the_picture_says_what_it_lacks(tmp_path, page, path, code, expected):
    (tmp_path / "page.html").write_text("<p>report</p>")
    command = [sys.executable, ROOT / "tools" / "picture.py", page, "out.png"]
    result = subprocess.run(command, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (code, expected)
    assert not (tmp_path / "out.png").exists()
