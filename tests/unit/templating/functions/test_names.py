"""Every function that users know exists, none beside, and the reference lists them."""

from __future__ import annotations

from pathlib import Path

from controllers.templating.functions.loading import load
from controllers.templating.functions.reference import reference

DOCUMENT = Path(__file__).parents[4] / "docs" / "reference" / "template-functions.md"

NAMES = """
abbrev abbrevboth add add1 add1f addf adler32sum ago all any append atoi b32dec b32enc b64dec b64enc base bcrypt biggest buildCustomCert
camelcase cat ceil certSANs chunk clean coalesce compact concat contains date date_in_zone date_modify dateInZone dateModify decryptAES
deepCopy deepEqual default derivePassword dict dig dir div divf duration durationRound empty encryptAES ext fail filterCertChain filterPEM
first float64 floor fromJson fromYaml fullPemToPkcs12 fullPemToPkcs12Pass genCA genCAWithKey genPrivateKey genSelfSignedCert
genSelfSignedCertWithKey genSignedCert genSignedCertWithKey get has hasKey hasPrefix hasSuffix hello hexdec htmlDate htmlDateInZone htpasswd
indent initial initials int int64 isAbs join jwkPrivateKeyPem jwkPublicKeyPem kebabcase keys kindIs kindOf last list lower max maxf merge
mergeOverwrite min minf mod mul mulf must_date_modify mustAppend mustChunk mustCompact mustDateModify mustDeepCopy mustFirst mustFromJson
mustHas mustInitial mustLast mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch
mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice mustToDate mustToJson mustToPrettyJson
mustToRawJson mustUniq mustWithout nindent nospace now omit osBase osClean osDir osExt osIsAbs pemToPkcs12 pemToPkcs12Pass
pemTruststoreToPKCS12 pemTruststoreToPKCS12Pass pick pkcs12cert pkcs12certPass pkcs12key pkcs12keyPass pluck plural prepend push quote
randAlpha randAlphaNum randAscii randBytes randInt randNumeric regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll
regexReplaceAllLiteral regexSplit repeat replace rest reverse round rsaDecrypt semver semverCompare seq set sha1sum sha256sum sha512sum
shuffle slice snakecase sortAlpha split splitList splitn squote sub subf substr swapcase ternary title toDate toDecimal toJson toPrettyJson
toRawJson toString toStrings toYaml trim trimAll trimall trimPrefix trimSuffix trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset
until untilStep untitle upper urlJoin urlParse uuidv4 values without wrap wrapWith
"""


def test_exactly_the_functions_of_the_original_exist() -> None:
    """227 names."""
    wanted = NAMES.split()
    assert len(wanted) == 227
    assert sorted(load()) == sorted(wanted)


def test_declarations_are_complete() -> None:
    """A sentence, an example, and either its result or what the result looks like."""
    for entry in load().values():
        assert entry.doc.endswith("."), entry.name
        assert f"{entry.name}" in entry.example, entry.name
        assert (entry.result is None) != (entry.check is None), entry.name


def test_the_reference_is_current() -> None:
    """Written anew with `python -m controllers.templating.functions.reference`."""
    assert DOCUMENT.read_text(encoding="utf-8") == reference(load().values())
