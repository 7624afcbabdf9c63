# SPDX-License-Identifier: MIT
"""What a row of the table is, and the arithmetic: medians with their range, ratios of pairs."""
import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    """What was measured, against what, the aim, and whether it was met (None: nothing is aimed at)."""
    what: str
    ours: str
    theirs: str = ""
    ratio: str = ""
    aim: str = ""
    met: bool | None = None


def median_text(values, unit, digits=2):
    """"0.31 s (0.30-0.35)"."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f} {unit}"
    return (f"{statistics.median(values):.{digits}f} {unit} "
            f"({min(values):.{digits}f}-{max(values):.{digits}f})")


def paired(what, ours, theirs, unit, aim=None, digits=2):
    """A row of two series that were measured in turns: the ratio is the median of the pairs'."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    middle = statistics.median(ratios)
    return Row(what, median_text(ours, unit, digits), median_text(theirs, unit, digits),
               median_text(ratios, "x"), f"{aim:g}x" if aim else "",
               middle <= aim if aim else None)


def size(what, measured, limit):
    """A row of bytes against a limit."""
    return Row(what, f"{measured} B ({measured / (1 << 20):.2f} MiB)", f"{limit} B",
               f"{measured / limit:.2f}x", "1x", measured <= limit)


def table(rows):
    """Columns of text."""
    head = Row("what", "promenade", "against", "ratio", "aim")
    cells = [(row.what, row.ours, row.theirs, row.ratio, row.aim,
              "" if row.met is None else "met" if row.met else "missed") for row in [head, *rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
             for line in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
