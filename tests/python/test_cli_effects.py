"""samebits effects: the sizes that follow from the layers' shapes."""

from cli_runs import error_of


def test_effects_prints_a_line_a_model(samebits):
    result = samebits("effects")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["parameters", "FP32", "INT8", "INT4"]
    assert [line[:12].rstrip() for line in lines[1:6]] == ["BERT-base", "GPT-2 XL", "Llama 2 7B", "Llama 2 13B", "Llama 2 70B"]
    layers, width, hidden, vocabulary = 32, 4096, 11008, 32000  # of Llama 2 7B
    rows = [(2, vocabulary, width), (4 * layers, width, width), (2 * layers, hidden, width), (layers, width, hidden)]
    vectors = 4 * (2 * layers + 1) * width
    weights = sum(count * out * inside for count, out, inside in rows)
    # A byte a weight and 4 a row; half a byte and 4 for 128 of a row; 4 an element of vectors.
    int8 = weights + 4 * sum(count * out for count, out, _ in rows) + vectors
    int4 = weights // 2 + 4 * weights // 128 + vectors
    fp32 = 4 * weights + vectors
    assert lines[3].split()[3:] == [
        f"{weights + vectors // 4:,}", f"{fp32 / 1e9:.2f}", "GB", f"{int8 / 1e9:.2f}", "GB", f"{100 * int8 / fp32:.1f}%",
        f"{int4 / 1e9:.2f}", "GB", f"{100 * int4 / fp32:.1f}%",
    ]  # fmt: skip


def test_effects_refuses_groups_of_nothing(samebits):
    assert error_of(samebits("effects", "--group-size", 0), 2) == (
        "error: [samebits] --group-size: Value 0 not in range 8 to 65536; samebits effects --help shows an example\n"
    )


def test_help_shows_an_example(samebits):
    result = samebits("effects", "--help")
    assert result.returncode == 0
    assert "Example: samebits effects" in result.stdout
