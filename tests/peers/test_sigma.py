"""pySigma reads every rule that ships, and agrees on id, level and number of searches."""
import pathlib

from sigma.rule import SigmaRule

count = 0
for path in sorted(pathlib.Path("rules").rglob("*.yml")):
    if "pipelines" in path.parts:
        continue
    rule = SigmaRule.from_yaml(path.read_text())
    assert rule.id and rule.level and rule.detection.detections, path
    rule.detection.parsed_condition[0].parsed  # the condition parses too
    count += 1
assert count >= 15
print(f"pysigma: {count} rules parse")
