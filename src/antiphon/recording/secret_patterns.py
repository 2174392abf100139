"""What keys, tokens and passwords look like: the forms their issuers publish, and the names they go by."""

import re
from typing import NamedTuple


class Pattern(NamedTuple):
    """A form of secret. The group `secret`, where there is one, is the secret itself.

    Of the built-in ones only those are tried of which a text holds one of the `hints` (in lower case). They
    are what makes the search quick: most texts hold none.
    """

    kind: str
    expression: re.Pattern[str]
    hints: tuple[str, ...] = ()


_NAMES = (
    r"api[_-]?key|x-api-key|subscription[_-]?key|access[_-]?key|account[_-]?key|secret[_-]?(?:access[_-]?)?key"
    r"|(?:access|refresh|auth|bearer|session|id)[_-]?token|client[_-]?secret|private[_-]?key"
    r"|authorization|password|passwd|passphrase"
)

SECRET_NAME = re.compile(rf"(?:.*[_-])?(?:{_NAMES})", re.IGNORECASE)
"""Names of members whose text is a secret whatever its form (full match)."""


def _word(kind: str, expression: str, *hints: str) -> Pattern:
    """A secret that begins where no word goes on, so that `task-...` holds no `sk-...`."""
    return Pattern(kind, re.compile(rf"(?<![A-Za-z0-9])(?:{expression})"), hints)


def _anywhere(kind: str, expression: str, *hints: str) -> Pattern:
    return Pattern(kind, re.compile(expression), hints)


PATTERNS: tuple[Pattern, ...] = (
    _anywhere("private key", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----", "private key"),
    _word(
        "API key", r"sk-(?:proj|svcacct|admin|antiphon|None|ant-[a-z0-9]+|or-v1|lf)-[A-Za-z0-9_-]{16,}", "sk-"
    ),
    _word("API key", r"sk-[A-Za-z0-9]{32,}", "sk-"),
    _word(
        "API key",
        r"(?:sk|rk|gsk|csk|dsk|xai|pplx|tvly|nvapi)-(?=[a-z]*[0-9A-Z])[A-Za-z0-9_]{20,}",
        *("sk-", "rk-", "xai-", "pplx-", "tvly-", "nvapi-"),
    ),
    _word("API key", r"tvly-(?:dev|prod)-[A-Za-z0-9_-]{20,}", "tvly-"),
    _word(
        "API key",
        r"(?:gsk|hf|fw|r8|lsv2_pt|lsv2_sk|pcsk|ctx7sk)_[A-Za-z0-9_]{20,}",
        *("sk_", "hf_", "fw_", "r8_", "lsv2_"),
    ),
    _word("payment key", r"(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{20,}", "sk_", "rk_", "whsec_"),
    _word(
        "AWS access key", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])", "akia", "asia", "abia", "acca"
    ),
    _anywhere(
        "AWS secret key",
        r"(?i)aws.{0,20}?secret.{0,20}?[\"'\s:=]+(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "aws",
    ),
    _word("Bedrock key", r"(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/]{40,}=*", "absk", "bedrock-api-key-"),
    _word("Google API key", r"AIza[A-Za-z0-9_-]{35}", "aiza"),
    _word("Google token", r"(?:ya29\.|GOCSPX-|1//0)[A-Za-z0-9_-]{20,}", "ya29.", "gocspx-", "1//0"),
    _anywhere("Azure key", r"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,}=*)", "key="),
    _word("Azure key", r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{20,26}(?![A-Za-z0-9])", "jqqj99"),
    _word("Azure client secret", r"[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}", "q~"),
    _anywhere(
        "signed URL",
        r"[?&](?:sig|X-Amz-Signature|X-Goog-Signature)=(?P<secret>[A-Za-z0-9%+/_-]{32,})",
        *("sig=", "signature="),
    ),
    _word("GitHub token", r"gh[pousr]_[A-Za-z0-9]{30,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _word("GitHub token", r"github_pat_[A-Za-z0-9_]{22,}", "github_pat_"),
    _word(
        "GitLab token",
        r"gl(?:pat|ptt|dt|rt|cbt)-[A-Za-z0-9_-]{20,}",
        "glpat",
        "glptt",
        "gldt",
        "glrt",
        "glcbt",
    ),
    _word("Slack token", r"(?:xox[abeoprs]-|xapp-)[A-Za-z0-9-]{10,}", "xox", "xapp-"),
    _anywhere("Slack webhook", r"hooks\.slack\.com/\w+/(?P<secret>[A-Za-z0-9/]{20,})", "hooks.slack.com"),
    _word("package token", r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}", "npm_", "pypi-"),
    _word("mail key", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", "sg."),
    _word(
        "cloud token",
        r"(?:dop_v1_|dapi|shpat_|hvs\.|dp\.pt\.)[A-Za-z0-9_-]{32,}",
        *("dop_v1_", "dapi", "shpat_", "hvs.", "dp.pt."),
    ),
    _word("JSON web token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", "eyj"),
    _anywhere(
        "bearer token", r"(?i)\bbearer\s+(?P<secret>(?=[^\s]*[0-9])[A-Za-z0-9._~+/-]{16,}=*)", "bearer"
    ),
    _anywhere(
        "basic credentials",
        r"(?i)authorization[\"']?\s*[:=]\s*[\"']?basic\s+(?P<secret>[A-Za-z0-9+/]{8,}=*)",
        "basic",
    ),
    # The scheme's length is bounded, or a long text without any would take quadratic time.
    _anywhere(
        "password in a URL",
        r"[a-z][a-z0-9+.-]{0,20}://[^\s/:@\"'<>]*:(?P<secret>[^\s/@\"'<>{}$*]{3,})@",
        "://",
    ),
    _anywhere(
        "named secret",
        rf"(?i)(?<![a-z0-9])(?:{_NAMES})[\"']?\s*[:=]\s*[\"']?"
        r"(?P<secret>(?=[^\s\"']*[0-9])(?=[^\s\"']*[A-Za-z])[A-Za-z0-9_./+~-]{16,}=*)",
        *("key", "token", "secret", "authorization", "passw", "passphrase"),
    ),
)

ANY_HINT = re.compile("|".join(sorted(re.escape(hint) for pattern in PATTERNS for hint in pattern.hints)))
SHORTEST = 12
"""No built-in pattern fits a shorter text."""

PLACEHOLDER = re.compile(
    r"(?i)(?:your|my|the|an?|some|test|dummy|fake|example|sample)?[-_ ]?"
    r"(?:api[-_ ]?key|key|token|password|passwd|pass|pwd|secret|unused|none|null|redacted|changeme)"
    r"(?:[-_ ]?here)?"
    r"|[x*.…-]+|<.*>|\$\{?\w+\}?|\{\{?.*\}\}?|string|__\w+__"
)
"""What stands in documentation where a secret would (full match)."""
