"""The service's metrics as Prometheus stores them, with the labels of each."""

METRICS = {
    "planner_requests_total": {"route", "method", "status"},
    "planner_request_seconds_bucket": {"route", "le"},
    "planner_request_seconds_sum": {"route"},
    "planner_request_seconds_count": {"route"},
    "planner_plans_total": {"workload", "verdict"},
    "planner_options_evaluated_total": {"workload"},
    "planner_requests_shed_total": set[str](),
    "planner_catalog_info": {"version"},
    "planner_catalog_age_seconds": set[str](),
    "planner_catalog_degraded": set[str](),
    "planner_catalog_reloads": set[str](),
    "planner_catalog_reload_failures": set[str](),
}
SCRAPED = {"instance", "job"}
