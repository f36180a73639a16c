"""The rules that say what a dial's next position needs, and the decision that applies them.

policy = load_policy(ready_policy("responsible"))
decision = await decide(policy, facts_dict(facts))
decision.passed, [verdict.detail for verdict in decision.missing]  # (False, ["0 of 2 approvals"])
"""

from weighbridge.policy.decision import Decision, RuleVerdict, check_policy, decide, decide_sync
from weighbridge.policy.facts import (
    FACTS,
    ApprovalsFacts,
    DialFacts,
    DocumentsFacts,
    Facts,
    InspectionFacts,
    ReleaseFacts,
    TransitionFacts,
    facts_dict,
    inspection_facts,
)
from weighbridge.policy.judge import Judge
from weighbridge.policy.ready_policies import READY, ready_policy
from weighbridge.policy.rules import Audience, Dial, Policy, Rule, Severity, load_policy
from weighbridge.policy.stricter import stricter

__all__ = [
    "FACTS", "READY", "ApprovalsFacts", "Audience", "Decision", "Dial", "DialFacts", "DocumentsFacts", "Facts",
    "InspectionFacts", "Judge", "Policy", "ReleaseFacts", "Rule", "RuleVerdict", "Severity", "TransitionFacts",
    "check_policy", "decide", "decide_sync", "facts_dict", "inspection_facts", "load_policy", "ready_policy",
    "stricter",
]  # fmt: skip
