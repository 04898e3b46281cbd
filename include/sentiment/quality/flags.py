"""Great Expectations' expectation of a flag column, by counts alone."""

from __future__ import annotations

from typing import Any

from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet

COUNTED = ".unexpected_count", "table.row_count"


class ExpectFlagsToHold(ExpectColumnValuesToBeInSet):
    """Expect a flag column's values to be true, but for nulls.

    Of a flag that failed the value is known, and the library would start a Spark job for each list of examples.
    """

    def get_validation_dependencies(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the library's own expectation asks for, less the lists of values that failed."""
        dependencies = super().get_validation_dependencies(*args, **kwargs)
        for name in list(dependencies.metric_configurations):
            if not name.endswith(COUNTED):
                dependencies.remove_metric_configuration(name)
        return dependencies
