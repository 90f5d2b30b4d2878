"""tools/tables.py: the block it writes, what it leaves alone, and what it says."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

ROW = {
    "case": "MLP 784-2048",
    "variant": "samebits int8",
    "metric": "time",
    "value": 12.3456,
    "unit": "ms",
    "reference": "torch fp32",
    "ratio": 0.6842,
    "machine": "Xeon, amx, 2 threads",
}
PAGE = """# Step

Before.
<!-- table: step -->
anything
<!-- end table -->
After.
"""
TABLE = """
| case | variant | time | reference | ratio |
| --- | --- | --- | --- | --- |
| MLP 784-2048 | samebits int8 | 12.35 ms | torch fp32 | 0.68x |

Machine: Xeon, amx, 2 threads
"""


@pytest.fixture
def run(tmp_path):
    """Runs the tool on documents {path: text} and rows (or a text) named "step"."""

    def run_tool(documents, rows, name="step"):
        for path, text in documents.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        file = tmp_path / f"{name}.json"
        file.write_text(rows if isinstance(rows, str) else json.dumps(rows))
        return subprocess.run(
            [sys.executable, ROOT / "tools" / "tables.py", file, "--root", tmp_path], capture_output=True, text=True
        )

    return run_tool


def test_writes_the_table_between_its_markers_and_nothing_else(run, tmp_path):
    result = run({"README.md": PAGE}, [ROW])
    assert (result.returncode, result.stdout, result.stderr) == (0, "README.md: table step, 1 rows\n", "")
    assert (tmp_path / "README.md").read_text() == PAGE.replace("anything\n", TABLE + "\n")


def test_a_second_run_changes_nothing(run, tmp_path):
    run({"README.md": PAGE}, [ROW])
    before = (tmp_path / "README.md").read_text()
    result = run({}, [ROW])
    assert (result.returncode, result.stdout) == (0, "README.md: table step, 1 rows, as before\n")
    assert (tmp_path / "README.md").read_text() == before


def test_a_text_file_becomes_a_block_of_code(run, tmp_path):
    (tmp_path / "README.md").write_text(PAGE)
    (tmp_path / "step.txt").write_text("first | line\n\nlast\n")
    command = [sys.executable, ROOT / "tools" / "tables.py", tmp_path / "step.txt", "--root", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "README.md: table step, 3 lines\n")
    assert (tmp_path / "README.md").read_text() == PAGE.replace("anything\n", "\n```\nfirst | line\n\nlast\n```\n\n")


def test_rewrites_every_document_that_has_the_marker(run, tmp_path):
    documents = {"README.md": "no table here\n", "docs/a.md": PAGE, "docs/b.md": PAGE + PAGE, "docs/c.txt": PAGE}
    result = run(documents, [ROW])
    assert result.stdout == "docs/a.md: table step, 1 rows\ndocs/b.md: table step, 1 rows\n"
    assert (tmp_path / "docs/b.md").read_text().count("samebits int8") == 2
    assert (tmp_path / "docs/c.txt").read_text() == PAGE
    assert (tmp_path / "README.md").read_text() == "no table here\n"


def test_leaves_the_tables_of_other_names(run, tmp_path):
    other = PAGE.replace("step", "gemm")
    run({"README.md": other + PAGE}, [ROW])
    assert (tmp_path / "README.md").read_text() == other + PAGE.replace("anything\n", TABLE + "\n")


CELLS = [
    ("four digits", {"value": 0.0123456}, "| 0.01235 ms |"),
    ("no exponent below a thousand", {"value": 999.96}, "| 1000 ms |"),
    ("thousands are grouped", {"value": 1234567.8}, "| 1,234,568 ms |"),
    ("whole numbers are whole", {"value": 250.0, "unit": "MB/s"}, "| 250 MB/s |"),
    ("a value without unit", {"value": 3, "unit": ""}, "| 3 |"),
    ("no reference", {"reference": None, "ratio": None}, "| 12.35 ms |  |  |"),
    ("a bar does not end the cell", {"variant": "int8|int4"}, "| int8\\|int4 |"),
]


@pytest.mark.parametrize(("why", "change", "expected"), CELLS, ids=[case[0] for case in CELLS])
def test_writes_cells(run, tmp_path, why, change, expected):
    run({"README.md": PAGE}, [ROW | change])
    assert expected in (tmp_path / "README.md").read_text()


def test_names_the_metric_in_each_row_when_there_are_several(run, tmp_path):
    run({"README.md": PAGE}, [ROW, ROW | {"metric": "memory", "value": 7, "unit": "MB", "machine": "EPYC"}])
    text = (tmp_path / "README.md").read_text()
    assert "| case | variant | value | reference | ratio |" in text
    assert "| time 12.35 ms |" in text
    assert "| memory 7 MB |" in text
    assert "Machine: Xeon, amx, 2 threads; EPYC\n" in text


def test_shows_the_columns_of_the_rows_instead_of_reference_and_ratio(run, tmp_path):
    first = ROW | {"columns": {"of copy_": "0.81", "target": "a|b"}}
    run({"README.md": PAGE}, [first, ROW | {"columns": {"reached": "yes"}}])
    lines = (tmp_path / "README.md").read_text().split("\n")
    assert lines[5:9] == [
        "| case | variant | time | of copy_ | target | reached |",
        "| --- | --- | --- | --- | --- | --- |",
        "| MLP 784-2048 | samebits int8 | 12.35 ms | 0.81 | a\\|b |  |",
        "| MLP 784-2048 | samebits int8 | 12.35 ms |  |  | yes |",
    ]


@pytest.mark.parametrize(("text", "found"), [("no marker\n", "none"), (PAGE, "markers of step")])
def test_says_that_no_document_has_the_marker(run, text, found):
    result = run({"README.md": text}, [ROW], name="steps")
    assert result.returncode == 1
    assert result.stderr == (
        "error: [tables] steps: expected a line <!-- table: steps --> in README.md or docs/*.md, "
        f"got {found}; add it and <!-- end table --> where the table belongs\n"
    )


@pytest.mark.parametrize("text", ["a\n<!-- table: step -->\nb\n", "a\n<!-- table: step -->\n<!-- table: x -->\n<!-- end table -->\n"])
def test_says_that_a_block_has_no_end_and_leaves_it(run, tmp_path, text):
    result = run({"README.md": text, "docs/a.md": PAGE}, [ROW])
    assert result.returncode == 0
    assert result.stdout == "docs/a.md: table step, 1 rows\n"
    assert result.stderr == (
        "error: [tables] README.md:2: <!-- table: step -->: expected <!-- end table --> after it, "
        "got none; left as it is\n"
    )
    assert (tmp_path / "README.md").read_text() == text


BAD_ROWS = [
    ("[", "expected a JSON list of rows, got Expecting value: line 1 column 2 (char 1)"),
    ("[]", "expected a JSON list of at least one row, got []"),
    ('[{"case": 1}]', 'row 0: expected the keys case, variant, metric, value, unit, reference, ratio, machine, got {"case": 1}'),
    (json.dumps([ROW, ROW | {"value": "fast"}]), 'row 1: value: expected a number, got "fast"'),
    (json.dumps([ROW | {"columns": {"a": 1}}]), 'row 0: columns: expected texts by heading, got {"a": 1}'),
    (json.dumps([ROW | {"ratio": True}]), "row 0: ratio: expected a number, got true"),
]


@pytest.mark.parametrize(("rows", "expected"), BAD_ROWS)
def test_says_what_is_wrong_with_the_rows(run, tmp_path, rows, expected):
    result = run({"README.md": PAGE}, rows)
    assert (result.returncode, result.stderr) == (2, f"error: [tables] {tmp_path}/step.json: {expected}\n")
    assert (tmp_path / "README.md").read_text() == PAGE
