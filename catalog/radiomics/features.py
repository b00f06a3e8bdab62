"""The table of features: name, IBSI code, family, aggregation, unit and what it measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.radiomics.settings import Settings


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature.

    Attributes
    ----------
    name : str
        Name of its column.
    code : str
        IBSI code of the feature; those of its aggregation are in `AGGREGATION_CODES`.
    family : str
        One of :data:`catalog.radiomics.settings.FAMILIES`.
    aggregation : str
        ``3d_avg``, ``2_5d``, ...; empty for families that have none.
    unit : str
        Unit; ``intensity`` stands for the image's own (HU, SUVbw, ...), empty for none.
    text : str
        What it measures.
    """

    name: str
    code: str
    family: str
    aggregation: str
    unit: str
    text: str


AGGREGATION_CODES = {
    "2d_avg": "BTW3",
    "2d_s_mrg": "SUJT",
    "2_5d_d_mrg": "JJUI",
    "2_5d_v_mrg": "ZW7Z",
    "3d_avg": "ITBB",
    "3d_v_mrg": "IAZD",
    "2d": "8QNN",
    "2_5d": "62GR",
    "3d": "KOBO",
}
DIRECTED = ("2d_avg", "2d_s_mrg", "2_5d_d_mrg", "2_5d_v_mrg", "3d_avg", "3d_v_mrg")
UNDIRECTED = ("2d", "2_5d", "3d")
PREFIXES = {
    "morphology": "morph",
    "local_intensity": "loc",
    "statistics": "stat",
    "histogram": "ih",
    "ivh": "ivh",
    "glcm": "cm",
    "glrlm": "rlm",
    "glszm": "szm",
    "gldzm": "dzm",
    "ngtdm": "ngt",
    "ngldm": "ngl",
}

# name | IBSI code | unit | text
_TABLES = {
    "morphology": """
volume | RNU0 | mm3 | Volume of the mesh
vol_approx | YEKZ | mm3 | Volume by counting voxels
area_mesh | C0JK | mm2 | Surface area of the mesh
av | 2PR5 | 1/mm | Surface to volume ratio
comp_1 | SKGS | | Compactness 1
comp_2 | BQWJ | | Compactness 2
sph_dispr | KRCK | | Spherical disproportion
sphericity | QCFX | | Sphericity
asphericity | 25C7 | | Asphericity
com | KLMA | mm | Distance of the centres of mass of shape and intensity
diam | L0JK | mm | Maximum 3D diameter
pca_maj_axis | TDIC | mm | Major axis length by principal components
pca_min_axis | P9VJ | mm | Minor axis length by principal components
pca_least_axis | 7J51 | mm | Least axis length by principal components
pca_elongation | Q3CK | | Elongation: minor over major axis
pca_flatness | N17B | | Flatness: least over major axis
vol_dens_aabb | PBX1 | | Volume over that of the axis-aligned bounding box
area_dens_aabb | R59B | | Area over that of the axis-aligned bounding box
vol_dens_ombb | ZH1A | | Volume over that of the oriented minimum bounding box (no consensus)
area_dens_ombb | IQYR | | Area over that of the oriented minimum bounding box (no consensus)
vol_dens_aee | 6BDE | | Volume over that of the approximate enclosing ellipsoid
area_dens_aee | RDD2 | | Area over that of the approximate enclosing ellipsoid
vol_dens_mvee | SWZ1 | | Volume over that of the minimum volume enclosing ellipsoid (no consensus)
area_dens_mvee | BRI8 | | Area over that of the minimum volume enclosing ellipsoid (no consensus)
vol_dens_conv_hull | R3ER | | Volume over that of the convex hull
area_dens_conv_hull | 7T7F | | Area over that of the convex hull
integ_int | 99N0 | intensity mm3 | Mean intensity times volume
moran_i | N365 | | Moran's I index of spatial autocorrelation
geary_c | NPT7 | | Geary's C measure of spatial autocorrelation
""",
    "local_intensity": """
peak_loc | VJGA | intensity | Mean of a 1 cm3 sphere around the highest intensity
peak_glob | 0F91 | intensity | Highest mean of a 1 cm3 sphere around any voxel
""",
    "statistics": """
mean | Q4LE | intensity | Mean
var | ECT3 | intensity2 | Variance
skew | KE2A | | Skewness
kurt | IPH6 | | Excess kurtosis
median | Y12H | intensity | Median
min | 1GSF | intensity | Minimum
p10 | QG58 | intensity | 10th percentile
p90 | 8DWT | intensity | 90th percentile
max | 84IY | intensity | Maximum
iqr | SALO | intensity | Interquartile range
range | 2OJQ | intensity | Range
mad | 4FUA | intensity | Mean absolute deviation
rmad | 1128 | intensity | Robust mean absolute deviation
medad | N72L | intensity | Median absolute deviation
cov | 7TET | | Coefficient of variation
qcod | 9S40 | | Quartile coefficient of dispersion
energy | N8CA | intensity2 | Energy
rms | 5ZWQ | intensity | Root mean square
""",
    "histogram": """
mean | X6K6 | level | Mean grey level
var | CH89 | level2 | Variance of grey levels
skew | 88K1 | | Skewness of grey levels
kurt | C3I7 | | Excess kurtosis of grey levels
median | WIFQ | level | Median grey level
min | 1PR8 | level | Minimum grey level
p10 | GPMT | level | 10th percentile of grey levels
p90 | OZ0C | level | 90th percentile of grey levels
max | 3NCY | level | Maximum grey level
mode | AMMC | level | Most frequent grey level
iqr | WR0O | level | Interquartile range of grey levels
range | 5Z3W | level | Range of grey levels
mad | D2ZX | level | Mean absolute deviation of grey levels
rmad | WRZB | level | Robust mean absolute deviation of grey levels
medad | 4RNL | level | Median absolute deviation of grey levels
cov | CWYJ | | Coefficient of variation of grey levels
qcod | SLWD | | Quartile coefficient of dispersion of grey levels
entropy | TLU2 | bit | Entropy of the histogram
uniformity | BJ5W | | Uniformity of the histogram
max_grad | 12CE | voxel | Maximum gradient of the histogram
max_grad_g | 8E6O | level | Grey level of the maximum gradient
min_grad | VQB3 | voxel | Minimum gradient of the histogram
min_grad_g | RHQZ | level | Grey level of the minimum gradient
""",
    "ivh": """
v10 | BC2M | | Part of the volume with at least 10 % of the intensity range
v90 | BC2M | | Part of the volume with at least 90 % of the intensity range
i10 | GBPN | intensity | Least intensity present in at most 10 % of the volume
i90 | GBPN | intensity | Least intensity present in at most 90 % of the volume
diff_v10_v90 | DDTU | | Difference of the parts of the volume at 10 % and 90 % of the range
diff_i10_i90 | CNV2 | intensity | Difference of the intensities at 10 % and 90 % of the volume
auc | 9CMM | | Area under the intensity-volume curve (no consensus)
""",
    "glcm": """
joint_max | GYBY | | Joint maximum
joint_avg | 60VM | level | Joint average
joint_var | UR99 | level2 | Joint variance
joint_entr | TU9B | bit | Joint entropy
diff_avg | TF7R | level | Difference average
diff_var | D3YU | level2 | Difference variance
diff_entr | NTRS | bit | Difference entropy
sum_avg | ZGXS | level | Sum average
sum_var | OEEB | level2 | Sum variance
sum_entr | P6QZ | bit | Sum entropy
energy | 8ZQL | | Angular second moment
contrast | ACUI | level2 | Contrast
dissimilarity | 8S9J | level | Dissimilarity
inv_diff | IB1Z | | Inverse difference
inv_diff_norm | NDRX | | Normalised inverse difference
inv_diff_mom | WF0Z | | Inverse difference moment
inv_diff_mom_norm | 1QCO | | Normalised inverse difference moment
inv_var | E8JP | | Inverse variance
corr | NI2N | | Correlation
auto_corr | QWB0 | level2 | Autocorrelation
clust_tend | DG8W | level2 | Cluster tendency
clust_shade | 7NFM | level3 | Cluster shade
clust_prom | AE86 | level4 | Cluster prominence
info_corr1 | R8DG | | Information correlation 1
info_corr2 | JN9H | | Information correlation 2
""",
    "glrlm": """
sre | 22OV | | Short runs emphasis
lre | W4KF | | Long runs emphasis
lgre | V3SW | | Low grey level run emphasis
hgre | G3QZ | | High grey level run emphasis
srlge | HTZT | | Short run low grey level emphasis
srhge | GD3A | | Short run high grey level emphasis
lrlge | IVPO | | Long run low grey level emphasis
lrhge | 3KUM | | Long run high grey level emphasis
glnu | R5YN | | Grey level non-uniformity
glnu_norm | OVBL | | Normalised grey level non-uniformity
rlnu | W92Y | | Run length non-uniformity
rlnu_norm | IC23 | | Normalised run length non-uniformity
r_perc | 9ZK5 | | Run percentage (a fraction)
gl_var | 8CE5 | level2 | Grey level variance
rl_var | SXLW | voxel2 | Run length variance
rl_entr | HJ9O | bit | Run entropy
""",
    "glszm": """
sze | 5QRC | | Small zone emphasis
lze | 48P8 | | Large zone emphasis
lgze | XMSY | | Low grey level zone emphasis
hgze | 5GN9 | | High grey level zone emphasis
szlge | 5RAI | | Small zone low grey level emphasis
szhge | HW1V | | Small zone high grey level emphasis
lzlge | YH51 | | Large zone low grey level emphasis
lzhge | J17V | | Large zone high grey level emphasis
glnu | JNSA | | Grey level non-uniformity
glnu_norm | Y1RO | | Normalised grey level non-uniformity
zsnu | 4JP3 | | Zone size non-uniformity
zsnu_norm | VB3A | | Normalised zone size non-uniformity
z_perc | P30P | | Zone percentage (a fraction)
gl_var | BYLV | level2 | Grey level variance
zs_var | 3NSA | voxel2 | Zone size variance
zs_entr | GU8N | bit | Zone size entropy
""",
    "gldzm": """
sde | 0GBI | | Small distance emphasis
lde | MB4I | | Large distance emphasis
lgze | S1RA | | Low grey level zone emphasis
hgze | K26C | | High grey level zone emphasis
sdlge | RUVG | | Small distance low grey level emphasis
sdhge | DKNJ | | Small distance high grey level emphasis
ldlge | A7WM | | Large distance low grey level emphasis
ldhge | KLTH | | Large distance high grey level emphasis
glnu | VFT7 | | Grey level non-uniformity
glnu_norm | 7HP3 | | Normalised grey level non-uniformity
zdnu | V294 | | Zone distance non-uniformity
zdnu_norm | IATH | | Normalised zone distance non-uniformity
z_perc | VIWW | | Zone percentage (a fraction)
gl_var | QK93 | level2 | Grey level variance
zd_var | 7WT1 | voxel2 | Zone distance variance
zd_entr | GBDU | bit | Zone distance entropy
""",
    "ngtdm": """
coarseness | QCDE | | Coarseness
contrast | 65HE | | Contrast
busyness | NQ30 | | Busyness
complexity | HDEZ | | Complexity
strength | 1X9X | | Strength
""",
    "ngldm": """
lde | SODN | | Low dependence emphasis
hde | IMOQ | | High dependence emphasis
lgce | TL9H | | Low grey level count emphasis
hgce | OAE7 | | High grey level count emphasis
ldlge | EQ3F | | Low dependence low grey level emphasis
ldhge | JA6D | | Low dependence high grey level emphasis
hdlge | NBZI | | High dependence low grey level emphasis
hdhge | 9QMG | | High dependence high grey level emphasis
glnu | FP8K | | Grey level non-uniformity
glnu_norm | 5SPA | | Normalised grey level non-uniformity
dcnu | Z87G | | Dependence count non-uniformity
dcnu_norm | OKJI | | Normalised dependence count non-uniformity
dc_perc | 6XV8 | | Dependence count percentage (a fraction)
gl_var | 1PFV | level2 | Grey level variance
dc_var | DNX2 | voxel2 | Dependence count variance
dc_entr | FCBV | bit | Dependence count entropy
dc_energy | CAS9 | | Dependence count energy
""",
}


def _aggregations_of(family: str) -> tuple[str, ...]:
    if family in {"glcm", "glrlm"}:
        return DIRECTED
    return UNDIRECTED if family in {"glszm", "gldzm", "ngtdm", "ngldm"} else ("",)


def _rows() -> Iterator[Feature]:
    for family, table in _TABLES.items():
        for aggregation in _aggregations_of(family):
            for line in table.strip().splitlines():
                name, code, unit, text = (cell.strip() for cell in line.split("|"))
                full = f"{PREFIXES[family]}_{name}" + (f"_{aggregation}" if aggregation else "")
                yield Feature(full, code, family, aggregation, unit, text)


FEATURES: tuple[Feature, ...] = tuple(_rows())


def is_asked_for(feature: Feature, settings: Settings) -> bool:
    """Whether settings name the feature's family and aggregation.

    Matrices without directions are given for each dimension (2D, 2.5D, 3D) that an aggregation names.
    """
    if feature.family not in settings.families:
        return False
    if feature.aggregation in UNDIRECTED:
        return any(name.startswith(f"{feature.aggregation}_") for name in settings.aggregations)
    return not feature.aggregation or feature.aggregation in settings.aggregations
