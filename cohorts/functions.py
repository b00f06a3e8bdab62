"""The SQL functions that a query may call, in one table.

An allow-list: whatever is missing here reads files, settings or the clock, changes from engine to engine,
or has not been asked for yet. A rule may call what gives the same answer for the same row on any day; a
query may also summarise, and ask for the time.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPERATORS: Final = _names(
    """
    + - * / // % ** ^ || & | << >> ~ ! @ && @> <@ ^@ ~~ !~~ ~~* !~~* ~~~ like_escape ilike_escape
    not_like_escape not_ilike_escape regexp_matches regexp_full_match
    """
)
_TEXT: Final = _names(
    """
    ascii array_to_string bit_length chr concat concat_ws contains damerau_levenshtein ends_with format
    hamming hash instr jaccard jaro_similarity jaro_winkler_similarity lcase left len length levenshtein lower
    lpad ltrim md5 nfc_normalize ord position prefix printf regexp_escape regexp_extract regexp_extract_all
    regexp_replace regexp_split_to_array repeat replace reverse right rpad rtrim sha1 sha256 split split_part
    starts_with str_split str_split_regex string_split string_split_regex string_to_array strip_accents strlen
    strpos substr substring suffix translate trim ucase unicode upper
    """
)
_NUMBERS: Final = _names(
    """
    abs acos add asin atan atan2 bit_count cbrt ceil ceiling cos cot degrees divide even exp factorial fdiv
    floor fmod gcd greatest isfinite isinf isnan lcm least ln log log10 log2 mod multiply pi pow power radians
    round sign sin sqrt subtract tan trunc xor
    """
)
_DATES: Final = _names(
    """
    age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day
    dayname dayofmonth dayofweek dayofyear decade epoch hour isodow isoyear julian last_day make_date
    make_time make_timestamp minute month monthname quarter second strftime strptime time_bucket to_days
    to_hours to_microseconds to_milliseconds to_minutes to_months to_seconds to_weeks to_years try_strptime
    week weekday weekofyear year yearweek
    """
)
_LISTS: Final = _names(
    """
    aggregate apply array_append array_concat array_contains array_distinct array_extract array_filter
    array_has array_has_all array_has_any array_indexof array_intersect array_length array_position
    array_prepend array_reverse array_slice array_sort array_transform array_unique element_at filter flatten
    list_aggregate list_any_value list_append list_avg list_bool_and list_bool_or list_concat list_contains
    list_count list_cosine_similarity list_distance list_distinct list_dot_product list_element list_extract
    list_filter list_first list_has list_has_all list_has_any list_indexof list_inner_product list_intersect
    list_last list_max list_median list_min list_position list_prepend list_product list_reduce list_reverse
    list_slice list_sort list_sum list_transform list_unique list_value list_zip range reduce row
    struct_extract struct_pack
    """
)
_CHOICE: Final = _names("constant_or_null if ifnull nullif typeof")
_AGGREGATES: Final = _names(
    """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_min array_agg avg
    bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp
    entropy first group_concat histogram kurtosis last list listagg mad max max_by mean median min min_by mode
    product quantile quantile_cont quantile_disc regr_intercept regr_r2 regr_slope skewness stddev stddev_pop
    stddev_samp string_agg sum sumkahan var_pop var_samp variance
    """
)
_QUERY_ONLY: Final = _names(
    """
    current_date generate_series generate_subscripts get_current_timestamp now random to_json today unnest
    version
    """
)

RULE_FUNCTIONS: Final = _OPERATORS | _TEXT | _NUMBERS | _DATES | _LISTS | _CHOICE
QUERY_FUNCTIONS: Final = RULE_FUNCTIONS | _AGGREGATES | _QUERY_ONLY
TABLE_FUNCTIONS: Final = frozenset({"generate_series", "range", "unnest"})
