"""pySigma reads every rule that ships and every rule of the corpus; who accepts what, and what each
condition means, has to agree with ours, or stands below with the passage of the specification."""
import ipaddress
import json
import pathlib
import re
import subprocess

import yaml
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaRegularExpressionError
from sigma.policy.profiles import TrustedPolicy
from sigma.rule import SigmaRule
from sigma.types import (CompareOperators, Placeholder, SigmaBool, SigmaCasedString, SigmaCIDRExpression,
                         SigmaCompareExpression, SigmaExists, SigmaExpansion, SigmaFieldReference, SigmaNull,
                         SigmaNumber, SigmaRegularExpression, SigmaString, SpecialChars)

ANY, ONE = "\x01", "\x02"
# Text of the corpus that one of the two refuses, and why that is right. Empty: they agree.
ACCEPT_DIFFERS: dict[str, str] = {}
# Fragments, each with who has to refuse it.
FRAGMENTS = [
    # "Also null cannot be part of a list of field values" (Special Field Values)
    ("s: {A: ['', null]}", "we refuse"),
    # "Single item values are not allowed to have an all modifier" (Generic Modifiers)
    ("s: {A|all: x}", "we refuse"),
    # an empty list names no value (Lists); pySigma reads it as null
    ("s: {A: []}", "we refuse"),
    # the flags are sub-modifiers of re (Regular Expression); so says pySigma
    ("s: {A|i: x}", "both refuse"),
    ("s: {A|base64: 'a*'}", "both refuse"),
    ("s: {A|gt: x}", "both refuse"),
    ("s: {A|exists: 'yes'}", "both refuse"),
    ("s: {A|magic: x}", "both refuse"),
    ("s: {A|fieldref: 'B*'}", "both refuse"),
    ("s: {A|cidr: 10.0.0.0/33}", "both refuse"),
    ("s: {A|re: '('}", "both refuse"),
    ("s: {}", "both refuse"),
    # contains is generic: "can be applied on all types of fields" (Generic Modifiers)
    ("s: {A|contains: 5}", "pySigma refuses"),
    # UTF-16 of any text, not of ASCII only (Encoding)
    ("s: {A|wide|base64: é}", "pySigma refuses"),
    # minute … year extract a number, which numeric modifiers compare (Time, Numeric Modifiers)
    ("s: {A|hour|gte: 5}", "both accept"),
    # wide is "an alias for the utf16le modifier" (Encoding)
    ("s: {A|utf16le|base64: x}", "pySigma refuses"),
    ("s: {A|neq: x}", "both accept"),
    ("s: {A|windash|contains|all: [-a, /b]}", "both accept"),
    ("s: {A|fieldref|startswith: B}", "both accept"),
    ("s: {A|minute: 5}", "both accept"),
]


def text_of(v):
    out = ""
    for part in v.s:
        if part == SpecialChars.WILDCARD_MULTI:
            out += ANY
        elif part == SpecialChars.WILDCARD_SINGLE:
            out += ONE
        else:
            assert not isinstance(part, Placeholder), v
            out += part
    return out


def fold(s):
    return re.sub("[A-Z]", lambda m: m.group().lower(), s)


def leaf(field, v):
    if isinstance(v, SigmaExpansion):
        return ["or"] + [leaf(field, x) for x in v.values]
    if isinstance(v, (SigmaNumber, SigmaBool)):
        v = SigmaString(str(v))
    if isinstance(v, SigmaString):
        cased = isinstance(v, SigmaCasedString)
        t = text_of(v) if cased else fold(text_of(v))
        t = ANY + t + ANY if not field else t
        return ["is", field, ["cased" if cased else "text", re.sub(ANY + "+", ANY, t)]]
    if isinstance(v, SigmaNull):
        return ["is", field, ["null"]]
    if isinstance(v, SigmaRegularExpression):
        flags = "".join(sorted(f.name[0].lower() if f.name != "DOTALL" else "s" for f in v.flags))
        return ["is", field, ["re", str(v.regexp), flags]]
    if isinstance(v, SigmaCIDRExpression):
        return ["is", field, ["cidr", str(v.network)]]
    if isinstance(v, SigmaExists):
        is_there = ["is", field, ["exists"]]
        return is_there if v.exists else ["not", is_there]
    if isinstance(v, SigmaFieldReference):
        return ["is", field, ["field", v.field, int(v.starts_with) + 2 * int(v.ends_with)]]
    if isinstance(v, SigmaCompareExpression):
        names = {CompareOperators.LT: "lt", CompareOperators.LTE: "lte", CompareOperators.GT: "gt",
                 CompareOperators.GTE: "gte"}
        return ["is", field, [names[v.op], float(v.number.number)]]
    raise TypeError(type(v))


def tree(c):
    if isinstance(c, ConditionNOT):
        return ["not", tree(c.args[0])]
    if isinstance(c, (ConditionAND, ConditionOR)):
        return ["and" if isinstance(c, ConditionAND) else "or"] + [tree(x) for x in c.args]
    return leaf(c.field if isinstance(c, ConditionFieldEqualsValueExpression) else "", c.value)


def normal(t):
    """The same meaning, the same value: flat, one order, no double mentions."""
    if t[0] == "is":
        value = list(t[2])
        if value[0] in ("lt", "lte", "gt", "gte"):
            value[1] = float(value[1])
        if value[0] == "cidr":
            value[1] = str(ipaddress.ip_network(value[1], strict=False))
        return ("is", t[1], tuple(re.sub(ANY + "+", ANY, x) if isinstance(x, str) else x for x in value))
    kids = [normal(k) for k in t[1:]]
    if t[0] == "not":
        return ("not", kids[0])
    flat = set()
    for k in kids:
        flat.update(k[1] if k[0] == t[0] else [k])
    return (t[0], frozenset(flat)) if len(flat) > 1 else next(iter(flat))


def peer(document):
    # The specification's flavour is PCRE (Regular Expression): either of its engines may know it.
    try:
        rule = SigmaRule.from_dict(document)
    except SigmaRegularExpressionError:
        rule = SigmaRule.from_dict(document, policy=TrustedPolicy)
    trees = [tree(c.parsed) for c in rule.detection.parsed_condition]
    return normal(["or"] + trees)


def ours(*folders):
    lines = subprocess.run(["build/tests/detect/dump_trees", *map(str, folders)], check=True, capture_output=True)
    rows = list(map(json.loads, lines.stdout.decode().splitlines()))
    return {(r["path"], r.get("id", "")): r for r in rows}


def compare(folder, shipped):
    count = compared = 0
    mine = ours(folder)
    for path in sorted(folder.rglob("*.yml")):
        if shipped and "pipelines" in path.parts:
            continue
        for document in yaml.safe_load_all(path.read_text()):
            if "correlation" in document:
                SigmaCorrelationRule.from_dict(document)
                continue
            count += 1
            one = mine.get((str(path), document["id"])) or mine[(str(path), "")]
            try:
                theirs = peer(document)
            except AssertionError:  # placeholders without lists: ours says which
                assert "has no list of values" in one.get("refused", ""), (path, one)
                continue
            except Exception as e:  # pySigma refuses
                assert "refused" in one or str(path) in ACCEPT_DIFFERS, (path, e)
                continue
            assert "tree" in one or str(path) in ACCEPT_DIFFERS, (path, one)
            assert normal(one["tree"]) == theirs, (path, normal(one["tree"]), theirs)
            compared += 1
    return count, compared


def fragments(scratch):
    wrong = []
    for i, (text, who) in enumerate(FRAGMENTS):
        rule = f"title: t\nid: 00000000-0000-4000-8000-{i:012}\nlogsource: {{category: c}}\n" \
               f"detection:\n    {text}\n    condition: s\n"
        (scratch / f"{i:02}.yml").write_text(rule)
    mine = ours(scratch)
    for i, (text, who) in enumerate(FRAGMENTS):
        rule = (scratch / f"{i:02}.yml").read_text()
        try:
            SigmaRule.from_yaml(rule).detection.parsed_condition[0].parsed
            accepts = True
        except Exception:
            accepts = False
        we = (str(scratch / f"{i:02}.yml"), "") not in mine
        said = {(True, True): "both accept", (False, False): "both refuse", (True, False): "pySigma refuses",
                (False, True): "we refuse"}[(we, accepts)]
        if said != who:
            wrong.append((text, said, who))
    assert not wrong, wrong


if __name__ == "__main__":
    import tempfile

    count, compared = compare(pathlib.Path("rules"), True)
    assert count >= 15 and compared == count
    print(f"pysigma: {count} rules of ours mean the same")
    with tempfile.TemporaryDirectory() as scratch:
        fragments(pathlib.Path(scratch))
    print(f"pysigma: {len(FRAGMENTS)} fragments accepted and refused as listed")
    corpus = pathlib.Path("../shared/corpus/sigma")
    if corpus.is_dir():
        count, compared = compare(corpus, False)
        assert count == 3780 and compared == 3755, (count, compared)
        print(f"pysigma: {compared} of {count} rules of the corpus mean the same, 25 wait for placeholder lists")
    else:
        print("SKIPPED: ../shared/corpus/sigma is not there")
