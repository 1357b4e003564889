"""The last entry of a row counts, in whatever order rows are asked for."""

import random

from voxfield.batch.ledger import Ledger
from voxfield.batch.manifest import Row
from voxfield.batch.work import DONE, Outcome, Todo


def test_the_last_entry_of_each_row_is_found_in_any_order_and_while_new_ones_come(tmp_path):
    draw, rows = random.Random(0), [bytes([number]) * 16 for number in range(120)]
    last = {}

    def add(ledger, key):
        last[key] = f"{draw.random()}"
        ledger.append([Outcome(Todo(key, Row(1, "a", "a")), DONE, b"mark", signature=last[key])])

    def ask(ledger, keys):
        assert {key: entry.signature for key, entry in ledger.last(keys).items()} == {
            key: last[key] for key in keys if key in last
        }

    for run in range(1, 5):
        with Ledger(tmp_path, "enhance") as ledger:
            assert ledger.run == run
            for first in range(0, 120, 15):  # in the order of the manifest, as a scan asks
                ask(ledger, rows[first : first + 15])
                for key in draw.sample(rows[first : first + 15], 6):
                    add(ledger, key)
            for _ in range(40):
                ask(ledger, draw.sample(rows, 20))
                add(ledger, draw.choice(rows))
        with Ledger(tmp_path, "enhance", rehearsal=True) as ledger:
            ask(ledger, draw.sample(rows, 50))
