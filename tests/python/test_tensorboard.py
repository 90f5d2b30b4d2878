"""TensorBoard reads the event file that the C++ EventWriter writes, value for value."""

import math
import os
import subprocess

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


@pytest.fixture(scope="module")
def events(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tensorboard")
    subprocess.run(
        [program("training_tensorboard_test"), "--gtest_filter=EventWriter.WritesTheFileThatThePythonTestReads"],
        env={**os.environ, "SAMEBITS_TEST_FOLDER": str(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    accumulator = EventAccumulator(str(folder / "events"))
    accumulator.Reload()
    return accumulator


def test_version_and_tags(events):
    assert events.file_version == 2.0
    assert sorted(events.Tags()["scalars"]) == ["accuracy/test", "loss/lost", "loss/train"]
    assert events.Tags()["histograms"] == ["codes/fc1"]


def test_scalars_keep_order_steps_and_float32_values(events):
    points = events.Scalars("loss/train")
    assert [point.step for point in points] == [0, 1, 2, 3, 4]
    assert [point.value for point in points] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5], rel=2**-24)
    assert all(a.wall_time <= b.wall_time for a, b in zip(points, points[1:]))


def test_a_step_beyond_32_bits(events):
    (point,) = events.Scalars("accuracy/test")
    assert point.step == 2**40
    assert point.value == pytest.approx(91.62, rel=2**-24)


def test_nan_stays_nan(events):
    (point,) = events.Scalars("loss/lost")
    assert math.isnan(point.value)


def test_histogram_has_one_bucket_a_code(events):
    (event,) = events.Histograms("codes/fc1")
    counts = {-6: 3, -4: 5, -1: 1, 0: 9, 1: 1, 4: 2}
    histogram = event.histogram_value
    assert event.step == 7
    assert (histogram.min, histogram.max) == (-6, 4)
    assert histogram.num == sum(counts.values())
    assert histogram.sum == sum(code * n for code, n in counts.items())
    assert histogram.sum_squares == sum(code**2 * n for code, n in counts.items())
    assert list(histogram.bucket_limit) == [code + 0.5 for code in range(-8, 8)]
    assert list(histogram.bucket) == [counts.get(code, 0) for code in range(-8, 8)]
