"""Leave one subject out: a network for each subject, trained on all others, and F1 of all of them together, as in MEGC.

    python benchmarks/spot_subjects.py CASME_sq --kind micro
    python benchmarks/spot_subjects.py SAMM-LV --set train.steps=4000 --set model.cbam=true

Runs are kept under runs/subjects, and go on where they were stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from table import table

from voxfield.metrics.spotting import Spots
from voxfield.train import recipe as recipes
from voxfield.train.data.expressions import read_videos
from voxfield.train.loop import CHECKPOINT, train
from voxfield.train.tasks.spotting import subject_spots

RECIPE = Path(__file__).parent.parent / "recipes" / "spot" / "mean-spot.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=["", "micro", "macro"], default="")
    parser.add_argument("--runs", type=Path, default=Path("runs/subjects"))
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    rows, total = [], Spots(0, 0, 0)
    for subject in sorted({clip.subject for clip in read_videos(given.folder, given.kind)}):
        own = [f'mix.videos=["{given.folder}"]', f'mix.kind="{given.kind}"', f'mix.left_out="{subject}"', *given.set]
        run = given.runs / subject
        path = train(recipes.load(RECIPE, own), run, resume=(run / CHECKPOINT).exists())
        found = subject_spots(path)
        total += found
        rows.append([subject, *map(str, found), f"{found.f1:.3f}"])
    rows.append(["all", *map(str, total), f"{total.f1:.3f}"])
    print(table(["subject", "found", "made up", "missed", "F1"], rows, markdown=given.markdown))


if __name__ == "__main__":
    main()
