"""What ``archdsl.stats`` gives: a network's analyses, which show themselves as a table and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.views.analyses import Analyses
from archdsl.views.columns import row_data
from archdsl.views.field_figures import fields_data, seen_fields
from archdsl.views.forms.text_form import text_table, totals_text
from archdsl.views.stats_table import tree_table
from archdsl.views.totals import total_lines

if TYPE_CHECKING:
    import pandas
    import polars


class Stats(Analyses):
    """What a network costs. Each analysis is made when it is first asked for; none imports torch.

    Parameters, MACs and FLOPs are for one example. ``memory`` is for ``batch`` examples in ``dtype``, in training with
    ``optimizer``; ``device`` is where it would run. Raises ArchError E801 for what these cannot be.
    """

    def to_dicts(self, depth: int | None = None) -> list[dict[str, Any]]:
        """A flat list of the rows with their figures; ``memory`` in bytes, ``receptive_field`` in pixels per axis.

        Of a network with several inputs there are ``receptive_field:NAME``, ``stride:NAME`` and ``offset:NAME`` for
        each. The row of a network with several outputs has neither sizes nor fields; ``ends`` gives their nodes.
        """
        return [
            {
                "level": level,
                "path": row.path,
                **row_data(self, row),
                "memory": self.kept(row),
                **fields_data(seen_fields(self, self.ends(row))),
            }
            for level, row in self.rows(depth)
        ]

    def to_pandas(self, depth: int | None = None) -> pandas.DataFrame:
        """``to_dicts`` as a pandas DataFrame. Raises ImportError where pandas is not installed."""
        import pandas

        return pandas.DataFrame(self.to_dicts(depth))

    def to_polars(self, depth: int | None = None) -> polars.DataFrame:
        """``to_dicts`` as a polars DataFrame. Raises ImportError where polars is not installed."""
        import polars

        return polars.DataFrame(self.to_dicts(depth))

    def __repr__(self) -> str:
        figures = f"{self.parameters:,} parameters, {self.macs:,} MACs, depth {self.depth:,}"
        return f"<Stats of {self.name}: {figures}; print() shows the table>"

    def __str__(self) -> str:
        return f"{text_table(tree_table(self))}\n{totals_text(total_lines(self))}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from archdsl.views.forms.html_form import html_table, totals_html

        return html_table(tree_table(self)) + totals_html(total_lines(self))
