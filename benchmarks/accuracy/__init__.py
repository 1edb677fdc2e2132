"""Published measurements against the estimator: `python -m benchmarks.accuracy`.

Every line of `tests/measurements/*.jsonl` is a request for `POST /v1/estimates` and what was
measured. Each is asked over the service's own route, and each scoreable value is compared with the
part of the answer that `quantities.py` names. Written from that:

    docs/ACCURACY.md                  the tables, and every case that is more than 10 % off
    benchmarks/accuracy/figures.json  the figures for machines; a test fails when one gets worse
    config/uncertainty.yaml           how far nine of ten readings lie from each term, by engine

To add a set of measurements: put its file into `tests/measurements/`, add one `Source` to
`cases.SOURCES` (file, kind of work, which group a case belongs to, which of its values may be
scored) and one `Quantity` for each new key of `measured` to `quantities.QUANTITIES`. What a case
that is far off suffers from goes into `explanations.yaml` under its id.
"""
