"""Rules over what ``checkpoint`` reads: findings, facts, and whether a folder is clean.

    inspection = await run_inspection(files, on_progress=bar.update)
    inspection.result, [(finding.rule, finding.file, finding.at_byte) for finding in inspection.findings]

What is not known is a finding that blocks, never one that is passed over.
"""

from weighbridge.inspection.finding import Finding, Inspection, Result, Severity
from weighbridge.inspection.inspect import inspect
from weighbridge.inspection.rules import RULES, Rule, rules_sha256
from weighbridge.inspection.run import run_inspection

__all__ = [
    "RULES", "Finding", "Inspection", "Result", "Rule", "Severity", "inspect", "rules_sha256", "run_inspection",
]  # fmt: skip
