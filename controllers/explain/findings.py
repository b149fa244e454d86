"""What a look at an object and its surroundings finds."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

__all__ = ["Explanation", "Finding", "Grade"]


class Grade(StrEnum):
    """How a link of the chain is."""

    GOOD = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"  # it could not be looked at, or only the operator can
    NOTE = "note"


class Finding(Struct, frozen=True):
    """One link of the chain.

    Attributes:
        grade: How it is.
        subject: What was looked at: `SecretStore vault`, `spec.data[0]`.
        text: What was found; never a value.
        fix: What to do about it, empty where nothing is to do.
    """

    grade: Grade
    subject: str
    text: str
    fix: str = ""


class Explanation(Struct):
    """The chain of one object.

    Attributes:
        title: Kind, namespace and name.
        findings: From the object to its target.
    """

    title: str
    findings: list[Finding] = field(default_factory=list)

    def good(self, subject: str, text: str) -> None:
        """This link is all right."""
        self.findings.append(Finding(Grade.GOOD, subject, text))

    def bad(self, subject: str, text: str, fix: str) -> None:
        """This link is broken."""
        self.findings.append(Finding(Grade.BAD, subject, text, fix))

    def unknown(self, subject: str, text: str, fix: str = "") -> None:
        """This link could not be looked at."""
        self.findings.append(Finding(Grade.UNKNOWN, subject, text, fix))

    def note(self, subject: str, text: str) -> None:
        """Something worth knowing."""
        self.findings.append(Finding(Grade.NOTE, subject, text))

    def settle(self, subject: str, text: str, fix: str) -> None:
        """This link is what is broken; a note that says the same gives its place to it."""
        found = Finding(Grade.BAD, subject, text, fix)
        for index, finding in enumerate(self.findings):
            if finding.subject == subject and finding.grade is Grade.NOTE and text in finding.text:
                self.findings[index] = found
                return
        self.findings.append(found)

    @property
    def broken(self) -> list[Finding]:
        """What has to be repaired."""
        return [finding for finding in self.findings if finding.grade is Grade.BAD]

    @property
    def verdict(self) -> str:
        """The answer in one line."""
        broken = self.broken
        if not broken:
            return "nothing that can be seen from here is wrong"
        first = broken[0]
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return f"{first.subject}: {first.text}{more}"
