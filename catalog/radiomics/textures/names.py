"""Names of the texture features, in the order in which the compiled formulas give them."""

from __future__ import annotations

from typing import Final

PAIRS: Final = (
    *("joint_max", "joint_avg", "joint_var", "joint_entr", "diff_avg", "diff_var", "diff_entr"),
    *("sum_avg", "sum_var", "sum_entr", "energy", "contrast", "dissimilarity", "inv_diff", "inv_diff_norm"),
    *("inv_diff_mom", "inv_diff_mom_norm", "inv_var", "corr", "auto_corr"),
    *("clust_tend", "clust_shade", "clust_prom", "info_corr1", "info_corr2"),
)
RUNS: Final = (
    *("sre", "lre", "lgre", "hgre", "srlge", "srhge", "lrlge", "lrhge", "glnu", "glnu_norm"),
    *("rlnu", "rlnu_norm", "r_perc", "gl_var", "rl_var", "rl_entr"),
)
ZONES: Final = (
    *("sze", "lze", "lgze", "hgze", "szlge", "szhge", "lzlge", "lzhge", "glnu", "glnu_norm"),
    *("zsnu", "zsnu_norm", "z_perc", "gl_var", "zs_var", "zs_entr"),
)
DISTANCES: Final = (
    *("sde", "lde", "lgze", "hgze", "sdlge", "sdhge", "ldlge", "ldhge", "glnu", "glnu_norm"),
    *("zdnu", "zdnu_norm", "z_perc", "gl_var", "zd_var", "zd_entr"),
)
DIFFERENCES: Final = ("coarseness", "contrast", "busyness", "complexity", "strength")
DEPENDENCES: Final = (
    *("lde", "hde", "lgce", "hgce", "ldlge", "ldhge", "hdlge", "hdhge", "glnu", "glnu_norm"),
    *("dcnu", "dcnu_norm", "dc_perc", "gl_var", "dc_var", "dc_entr", "dc_energy"),
)
