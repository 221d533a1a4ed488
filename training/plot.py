"""Curves of one or several runs beside each other, from their log.jsonl.

    python -m training.plot training/runs/stage1 training/runs/ablation --out curves.png [--by elapsed_s] [--values loss,itc]

One panel a logged value: the loss and its terms, accuracies, temperature, speed.
"""
import argparse
import json
from pathlib import Path

BESIDE = ("step", "elapsed_s")  # of every row; the rest is drawn


def read(run):
    """Rows of a run's log, or of a log file."""
    path = run / "log.jsonl" if run.is_dir() else run
    return [json.loads(line) for line in path.read_text().splitlines()]


def curves(runs):
    """{value: {run: rows that have it}}, values in the order of their first appearance."""
    found = {}
    for run, rows in runs.items():
        for row in rows:
            for name, value in row.items():
                if name not in BESIDE and isinstance(value, (int, float)):
                    found.setdefault(name, {}).setdefault(run, []).append(row)
    return found


def draw(runs, by, out, values=None):
    """{name: rows} -> a picture; `by` is the horizontal axis, step or elapsed_s; `values`: which panels, by default all."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = {name: of for name, of in curves(runs).items() if values is None or name in values}
    columns = min(3, len(panels))
    figure, axes = pyplot.subplots(-(-len(panels) // columns), columns, figsize=(5 * columns, 3 * -(-len(panels) // columns)),
                                   squeeze=False)
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    for axis, (value, of) in zip(axes.flat, panels.items()):
        for run, rows in of.items():
            axis.plot([row[by] for row in rows], [row[value] for row in rows], label=run)
        axis.set_title(value)
        axis.set_xlabel(by)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="lower right")
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--by", choices=BESIDE, default="step")
    parser.add_argument("--values", type=lambda v: v.split(","), help="only these, with commas between")
    args = parser.parse_args()
    draw({run.stem: read(run) for run in args.runs}, args.by, args.out, args.values)


if __name__ == "__main__":
    main()
