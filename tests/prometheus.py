"""prometheus.py - reads the text format 0.0.4 and says what is wrong with it, as promtool check metrics does"""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(\{{.*\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
KINDS = {"counter", "gauge", "histogram"}
NO_BASE_UNIT = re.compile(r"_(ms|milliseconds|us|microseconds|minutes|hours|kib|mib|kilobytes|percent)(_|$)")


class Wrong(Exception):
    pass


def read_labels(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        if not found or found.group(1) in labels:
            raise Wrong(f"labels: {text}")
        labels[found.group(1)] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), found.group(2))
        at = found.end()
    return labels


def family_of(name, kinds):
    if name in kinds:
        return name
    for end in ("_bucket", "_sum", "_count"):
        if name.endswith(end) and kinds.get(name[:-len(end)]) == "histogram":
            return name[:-len(end)]
    raise Wrong(f"{name} has no TYPE before it")


def check_histogram(name, samples):
    rows = {}
    for suffix, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        row = rows.setdefault(key, {"buckets": []})
        if suffix == "_bucket":
            row["buckets"].append((float(labels["le"].replace("+Inf", "inf")), value))
        else:
            row[suffix] = value
    for key, row in rows.items():
        bounds, counts = [b for b, _ in row["buckets"]], [n for _, n in row["buckets"]]
        if bounds != sorted(set(bounds)) or bounds[-1] != math.inf:
            raise Wrong(f"{name}{key}: bounds {bounds}")
        if counts != sorted(counts) or counts[-1] != row["_count"]:
            raise Wrong(f"{name}{key}: counts {counts}, {row['_count']}")
        if (row["_sum"] > 0) and not row["_count"]:
            raise Wrong(f"{name}{key}: a sum of nothing")


def read(text):
    """{(name, ((label, value), ...)): value}; raises Wrong."""
    helps, kinds, samples, families, order = set(), {}, {}, {}, []
    if not text.endswith("\n"):
        raise Wrong("no newline at the end")
    for line in text.splitlines():
        if found := re.match(rf"# HELP ({NAME}) (\S.*)$", line):
            if found.group(1) in helps:
                raise Wrong(f"HELP twice: {line}")
            helps.add(found.group(1))
        elif found := re.match(rf"# TYPE ({NAME}) (\w+)$", line):
            if found.group(1) in kinds or found.group(2) not in KINDS:
                raise Wrong(f"TYPE: {line}")
            kinds[found.group(1)] = found.group(2)
        elif found := SAMPLE.match(line):
            name, labels = found.group(1), read_labels((found.group(2) or "{}")[1:-1])
            family, key = family_of(name, kinds), (name, tuple(sorted(labels.items())))
            if key in samples:
                raise Wrong(f"twice: {line}")
            if not order or order[-1] != family:
                if family in order:
                    raise Wrong(f"{family} in two places")
                order.append(family)
            samples[key] = float(found.group(3))
            families.setdefault(family, []).append((name[len(family):], labels, samples[key]))
        else:
            raise Wrong(f"what is this: {line}")
    for family, kind in kinds.items():
        if family not in helps:
            raise Wrong(f"{family} has no HELP")
        if (kind == "counter") != family.endswith("_total"):
            raise Wrong(f"{family} is a {kind}")
        if NO_BASE_UNIT.search(family):
            raise Wrong(f"{family} is in no base unit")
        if kind == "histogram":
            check_histogram(family, families[family])
        elif any(value < 0 for _, _, value in families[family]):
            raise Wrong(f"{family} is negative")
    return samples
