"""Tables and figures of the literature, each as one command: `zoo experiment NAME`.

An experiment is a module with a docstring whose first line is its help, a settings class `Options`
and `run(options)`; importing it must be cheap, so what it computes with is imported in `run`.
"""

from __future__ import annotations

EXPERIMENTS = {
    "representations": "zoo.experiments.comparisons.representations",
    "riemens_table1": "zoo.experiments.riemens2015.table1",
    "riemens_table2": "zoo.experiments.riemens2015.table2",
    "riemens_table3": "zoo.experiments.riemens2015.table3",
    "riemens_table4": "zoo.experiments.riemens2015.table4",
    "riemens_table5": "zoo.experiments.riemens2015.table5",
    "riemens_fig3": "zoo.experiments.riemens2015.fig3",
    "riemens_fig5": "zoo.experiments.riemens2015.fig5",
    "labels": "zoo.experiments.comparisons.few_labels",
    "baselines": "zoo.experiments.comparisons.baselines",
    "digits": "zoo.experiments.course.digits",
    "denoise": "zoo.experiments.course.denoise",
    "hearing": "zoo.experiments.comparisons.hearing",
    "churchman_fig9": "zoo.experiments.churchman2015.fig9",
    "churchman_fig10": "zoo.experiments.churchman2015.fig10",
    "churchman_fig11": "zoo.experiments.churchman2015.fig11",
    "churchman_figA1": "zoo.experiments.churchman2015.figa1",
    "churchman_figB1": "zoo.experiments.churchman2015.figb1",
    "churchman_figB2": "zoo.experiments.churchman2015.figb2",
}
"""Name -> module."""
