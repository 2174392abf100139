"""What keys, tokens and passwords look like: the forms their issuers publish, and the names they go by."""

import re
from typing import NamedTuple


class Pattern(NamedTuple):
    """A form of secret. The group `secret`, where there is one, is the secret itself.

    A text of fewer than `least` characters is not searched.
    """

    kind: str
    expression: re.Pattern[str]
    least: int = 0


_WORD = r"(?<![A-Za-z0-9])"
"""A secret begins where no word goes on, so that `task-...` holds no `sk-...`."""
_LEAST = 12
_NAMES = (
    r"api[_-]?key|x-api-key|subscription[_-]?key|access[_-]?key|account[_-]?key|secret[_-]?(?:access[_-]?)?key"
    r"|(?:access|refresh|auth|bearer|session|id)[_-]?token|client[_-]?secret|private[_-]?key"
    r"|authorization|password|passwd|passphrase"
)

SECRET_NAME = re.compile(rf"(?:.*[_-])?(?:{_NAMES})", re.IGNORECASE)
"""Names of members whose text is a secret whatever its form (full match)."""

PATTERNS: tuple[Pattern, ...] = tuple(
    Pattern(kind, re.compile(expression), _LEAST)
    for kind, expression in (
        ("private key", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"),
        ("API key", rf"{_WORD}sk-(?:proj|svcacct|admin|None|ant-[a-z0-9]+|or-v1|lf)-[A-Za-z0-9_-]{{16,}}"),
        (
            "API key",
            rf"{_WORD}(?:sk|rk|gsk|csk|fw|xai|pplx|tvly|r8|nvapi|dsk)-(?=[a-z]*[0-9A-Z])[A-Za-z0-9_]{{20,}}",
        ),
        ("API key", rf"{_WORD}sk-[A-Za-z0-9]{{32,}}"),
        ("API key", rf"{_WORD}tvly-(?:dev|prod)-[A-Za-z0-9_-]{{20,}}"),
        ("API key", rf"{_WORD}(?:gsk|hf|fw|r8|lsv2_pt|lsv2_sk|pcsk|ctx7sk)_[A-Za-z0-9_]{{20,}}"),
        ("payment key", rf"{_WORD}(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{{20,}}"),
        ("AWS access key", rf"{_WORD}(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{16}}(?![A-Z0-9])"),
        (
            "AWS secret key",
            r"(?i)aws.{0,20}?secret.{0,20}?[\"'\s:=]+(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        ),
        ("Bedrock key", rf"{_WORD}(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/]{{40,}}=*"),
        ("Google API key", rf"{_WORD}AIza[A-Za-z0-9_-]{{35}}"),
        ("Google token", rf"{_WORD}(?:ya29\.|GOCSPX-|1//0)[A-Za-z0-9_-]{{20,}}"),
        ("Azure key", r"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,}=*)"),
        ("Azure key", rf"{_WORD}[A-Za-z0-9]{{52}}(?:JQQJ99|AAAA|AZ)[A-Za-z0-9]{{20,26}}(?![A-Za-z0-9])"),
        ("Azure client secret", rf"{_WORD}[A-Za-z0-9_~.-]{{3}}\dQ~[A-Za-z0-9_~.-]{{31,34}}"),
        ("signed URL", r"[?&](?:sig|X-Amz-Signature|X-Goog-Signature)=(?P<secret>[A-Za-z0-9%+/_-]{32,})"),
        ("GitHub token", rf"{_WORD}(?:gh[pousr]_[A-Za-z0-9]{{30,}}|github_pat_[A-Za-z0-9_]{{22,}})"),
        ("GitLab token", rf"{_WORD}gl(?:pat|ptt|dt|rt|cbt)-[A-Za-z0-9_-]{{20,}}"),
        ("Slack token", rf"{_WORD}(?:xox[abeoprs]-|xapp-)[A-Za-z0-9-]{{10,}}"),
        ("Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[A-Za-z0-9/]{20,})"),
        ("package token", rf"{_WORD}(?:npm_[A-Za-z0-9]{{36}}|pypi-[A-Za-z0-9_-]{{50,}})"),
        ("mail key", rf"{_WORD}SG\.[A-Za-z0-9_-]{{16,}}\.[A-Za-z0-9_-]{{16,}}"),
        ("cloud token", rf"{_WORD}(?:dop_v1_|dapi|shpat_|hvs\.|dp\.pt\.)[A-Za-z0-9_-]{{32,}}"),
        ("JSON web token", rf"{_WORD}eyJ[A-Za-z0-9_-]{{8,}}\.eyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}"),
        ("bearer token", r"(?i)\bbearer\s+(?P<secret>(?=[^\s]*[0-9])[A-Za-z0-9._~+/-]{16,}=*)"),
        (
            "basic credentials",
            r"(?i)authorization[\"']?\s*[:=]\s*[\"']?basic\s+(?P<secret>[A-Za-z0-9+/]{8,}=*)",
        ),
        ("password in a URL", r"[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:(?P<secret>[^\s/@\"'<>{}$*]{3,})@"),
        (
            "named secret",
            rf"(?i)(?<![a-z0-9])(?:{_NAMES})[\"']?\s*[:=]\s*[\"']?"
            r"(?P<secret>(?=[^\s\"']*[0-9])(?=[^\s\"']*[A-Za-z])[A-Za-z0-9_./+~-]{16,}=*)",
        ),
    )
)

PLACEHOLDER = re.compile(
    r"(?i)(?:your|my|the|an?|some|test|dummy|fake|example|sample)?[-_ ]?"
    r"(?:api[-_ ]?key|key|token|password|passwd|pass|pwd|secret|unused|none|null|redacted|changeme)"
    r"(?:[-_ ]?here)?"
    r"|[x*.…-]+|<.*>|\$\{?\w+\}?|\{\{?.*\}\}?|string|__\w+__"
)
"""What stands in documentation where a secret would (full match)."""
