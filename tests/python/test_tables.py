"""tools/tables.py: the block it writes, what it leaves alone, and what it says."""

import json
import subprocess
import sys
import tomllib

import pytest
import tables
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
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
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
    documents = {"README.md": "no table here\n", "docs/a.md": PAGE, "docs/b/b.md": PAGE + PAGE, "docs/c.txt": PAGE}
    result = run(documents, [ROW])
    assert result.stdout == "docs/a.md: table step, 1 rows\ndocs/b/b.md: table step, 1 rows\n"
    assert (tmp_path / "docs/b/b.md").read_text().count("samebits int8") == 2
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
        "error: [tables] steps: expected a line <!-- table: steps --> in README.md or docs/, "
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


SHORT_PAGE = PAGE + PAGE.replace("step", "cost")
SHORT = """
[cost]
sources = ["step", "peers"]
heading = "library"
rows = [
  { label = "ours", variant = "samebits int8" },
  { label = "a|b", variant = "peer" },
  { label = "not measured", variant = "nobody" },
]
columns = [
  { heading = "step", metric = "time", show = "value" },
  { heading = "/ fp32", metric = "time", show = "ratio" },
  { heading = "of", metric = "time", show = "reference" },
  { heading = "note", metric = "time", show = "reached" },
  { heading = "accuracy", metric = "accuracy", show = "value" },
]
"""
PEER = ROW | {"variant": "peer", "value": 20, "ratio": None, "reference": None, "machine": "EPYC", "columns": {"reached": "no"}}


@pytest.fixture
def short(run, tmp_path):
    """Runs the tool on rows named "step", with these peers beside them and this selection."""

    def run_tool(rows, peers=(PEER,), selection=SHORT):
        (tmp_path / "tools").mkdir()
        (tmp_path / "tools" / "tables.toml").write_text(selection)
        if peers:
            (tmp_path / "peers.json").write_text(json.dumps(list(peers)))
        return run({"README.md": SHORT_PAGE}, rows)

    return run_tool


def test_a_short_table_has_the_cells_that_lines_and_columns_name(short, tmp_path):
    result = short([ROW, ROW | {"metric": "accuracy", "value": 92.6, "unit": "%"}])
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "README.md: table step, 2 rows\nREADME.md: table cost, 2 rows\n"
    assert (tmp_path / "README.md").read_text().split("<!-- table: cost -->")[1].split("<!-- end")[0] == """

| library | step | / fp32 | of | note | accuracy |
| --- | --- | --- | --- | --- | --- |
| ours | 12.35 ms | 0.68x | torch fp32 |  | 92.60 % |
| a\\|b | 20 ms |  |  | no |  |

Machine: Xeon, amx, 2 threads; EPYC

"""


def test_a_short_table_stays_while_one_of_its_sources_is_missing(short, tmp_path):
    result = short([ROW], peers=())
    assert (result.returncode, result.stdout) == (0, "README.md: table step, 1 rows\n")
    assert result.stderr == f"note: [tables] cost: left as it is, it also needs {tmp_path}/peers.json\n"
    assert (tmp_path / "README.md").read_text().endswith(PAGE.replace("step", "cost"))


BAD_SELECTIONS = [
    ("two rows fit a cell", [ROW, ROW | {"case": "CNN"}], SHORT,
     'tables.toml: cost: expected one row with {"variant": "samebits int8", "metric": "time"}, got 2; name more of its keys'),
    ("no row fits", [ROW], SHORT.replace('"time"', '"speed"'), "tables.toml: cost: expected rows that it selects, got none in step, peers"),
    ("no TOML", [ROW], "[cost", "Expected ']' at the end of a table declaration (at end of document)"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "rows", "selection", "expected"), BAD_SELECTIONS, ids=[case[0] for case in BAD_SELECTIONS])
def test_says_what_is_wrong_with_a_selection(short, tmp_path, why, rows, selection, expected):
    result = short(rows, selection=selection)
    assert (result.returncode, result.stderr) == (2, f"error: [tables] {expected}\n")
    assert (tmp_path / "README.md").read_text().endswith(PAGE.replace("step", "cost"))


def test_every_short_table_has_a_place_its_sources_have_pages_and_it_stays_short():
    names = {
        path: {marker[1] for line in path.read_text().split("\n") if (marker := tables.MARKER.match(line))}
        for path in tables.documents(ROOT)
    }
    full = set().union(*(found for path, found in names.items() if path.parent.name == "results"))
    short_ones = tomllib.loads((ROOT / "tools/tables.toml").read_text())
    for name, spec in short_ones.items():
        assert any(name in found for path, found in names.items() if path.parent.name != "results"), name
        assert set(spec["sources"]) <= full, name
        assert len(spec["rows"]) <= 12, name
    assert len(short_ones["accuracy"]["rows"]) <= 6 and len(short_ones["cost"]["rows"]) <= 9
    assert names[ROOT / "README.md"] == {"accuracy", "cost"}
