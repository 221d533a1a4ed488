"""The curves of runs: one panel a value, whatever phases a run has; drawn where matplotlib is installed."""
import json

import pytest

from training import plot


@pytest.fixture
def runs(tmp_path):
    rows = [{"step": 25, "elapsed_s": 9, "loss": 1.2, "mel": 1.2}, {"step": 50, "elapsed_s": 18, "loss": 5.0, "atc": 3.1}]
    for name, part in (("a", rows), ("b", rows[1:])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return tmp_path


def test_every_value_has_a_panel_with_the_runs_that_logged_it(runs):
    found = plot.curves({name: plot.read(runs / name) for name in ("a", "b")})
    assert {value: {run: len(rows) for run, rows in of.items()} for value, of in found.items()} == {
        "loss": {"a": 2, "b": 1}, "mel": {"a": 1}, "atc": {"a": 1, "b": 1}}


def test_the_picture_is_drawn(runs):
    pytest.importorskip("matplotlib")
    plot.draw({name: plot.read(runs / name) for name in ("a", "b")}, "elapsed_s", runs / "curves.png")
    assert (runs / "curves.png").read_bytes().startswith(b"\x89PNG")
