"""Signs a request as its [sign] says: by a digest or an HMAC over a text, by AWS Signature Version 4, or by a JSON Web
Token (RFC 7519). Keys come from secrets; the algorithms are those of the standard library and of `cryptography`."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from portal.sources.recipes.model import Sign
from portal.sources.recipes.pipes import Value
from portal.sources.recipes.placeholders import SIGNATURE

P256_BYTES = 32  # of each of the two numbers in a signature of ES256


class BadKey(ValueError):
    """The secret is no key for this method. The text never has the key."""


class Filler(Protocol):
    """What `filling` gives: texts with their placeholders filled in."""

    values: dict[str, Value]
    used: list[str]

    def text(self, text: str, escape: Any, escape_json: Any = str) -> str: ...

    def bytes(self, text: str) -> bytes: ...


def signed(
    sign: Sign, filler: Filler, method: str, url: str, headers: dict[str, str], body: bytes
) -> tuple[str, dict[str, str]]:
    """The address and the headers with the signature in them. `filler` has the request's own values too. Raises
    BadKey and what the filler raises."""
    if sign.method == "aws4":
        return _signed_for_aws(sign, filler, method, url, headers, body)
    if not sign.is_token:
        filler.values[SIGNATURE] = _digest(sign.method, filler.bytes(sign.key), filler.text(sign.text, str).encode())
    headers = {**headers, **{name: filler.text(text, _one_line) for name, text in sign.headers.items()}}
    more = {name: filler.text(text, str) for name, text in sign.query.items()}
    if more:
        url += ("&" if urlsplit(url).query else "?") + urlencode(more, quote_via=quote)
    return url, headers


def _one_line(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise BadKey("a value breaks its line")
    return value


def _digest(method: str, key: bytes, text: bytes) -> bytes:
    if method.startswith("hmac-"):
        return hmac.new(key, text, method.removeprefix("hmac-")).digest()
    return hashlib.new(method, text, usedforsecurity=False).digest()


# ── JSON Web Tokens ─────────────────────────────────────────────────────────────────────────────────────────────────


def token(sign: Sign, filler: Filler) -> str:
    """A JSON Web Token with the claims of `sign`. Raises BadKey and what the filler raises."""
    algorithm = sign.method.removeprefix("jwt-").upper()
    try:
        claims = json.loads(filler.text(sign.claims, lambda value: json.dumps(value)[1:-1]))
        more = {name: filler.text(text, str) for name, text in sign.token_header.items()}
    except ValueError as error:
        raise BadKey("the claims are not JSON") from error
    made = json_web_token({"alg": algorithm, "typ": "JWT", **more}, _compact(claims), filler.bytes(sign.key))
    filler.used.append(made)
    return made


def json_web_token(header: Mapping[str, Any] | str, payload: str, key: bytes) -> str:
    """The compact form (RFC 7515) of a payload, signed by the header's algorithm: HS256, RS256 or ES256. The key is the
    secret itself, or a private key in PEM. Raises BadKey."""
    head = header if isinstance(header, str) else _compact(header)
    content = f"{_b64url(head.encode())}.{_b64url(payload.encode())}"
    algorithm = json.loads(head)["alg"]
    if algorithm == "HS256":
        signature = hmac.new(key, content.encode(), hashlib.sha256).digest()
    else:
        signature = _by_private_key(algorithm, key, content.encode())
    return f"{content}.{_b64url(signature)}"


def _by_private_key(algorithm: str, pem: bytes, content: bytes) -> bytes:
    pem = pem.replace(b"\\n", b"\n")  # as it is written on one line of a file of secrets
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("not a private key in PEM") from None
    if algorithm == "RS256" and isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        numbers = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(P256_BYTES, "big") for number in numbers)
    raise BadKey(f"not a key for {algorithm}")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _b64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


# ── AWS Signature Version 4 ─────────────────────────────────────────────────────────────────────────────────────────


def _signed_for_aws(
    sign: Sign, filler: Filler, method: str, url: str, headers: dict[str, str], body: bytes
) -> tuple[str, dict[str, str]]:
    key_id, _, secret = filler.bytes(sign.key).decode().partition(":")
    session = filler.text(sign.session, str)
    region, _, service = sign.scope.partition("/")
    moment = filler.text("{now|amz}", str)
    own = {**headers, "Host": urlsplit(url).netloc}
    if sign.place == "query":
        return aws4_query(method, url, own, body, key_id, secret, region, service, moment, session), headers
    more = aws4_headers(method, url, own, body, key_id, secret, region, service, moment, session)
    return url, {**headers, **more}


def aws4_headers(
    method: str, url: str, headers: Mapping[str, str], body: bytes,
    key_id: str, secret: str, region: str, service: str, moment: str, session: str = "",
) -> dict[str, str]:  # fmt: skip
    """The headers that sign this request, at a moment such as 20150830T123600Z."""
    more = {"X-Amz-Date": moment, **({"X-Amz-Security-Token": session} if session else {})}
    names, canonical = _canonical_headers({**headers, **more})
    content = hashlib.sha256(body).hexdigest()
    signature, scope = _aws4_signature(
        [method, _aws_path(url), _aws_query(url), canonical, names, content], secret, region, service, moment
    )
    given = f"Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**more, "Authorization": f"AWS4-HMAC-SHA256 {given}"}


def aws4_query(
    method: str, url: str, headers: Mapping[str, str], body: bytes,
    key_id: str, secret: str, region: str, service: str, moment: str, session: str = "", seconds: int = 300,
) -> str:  # fmt: skip
    """The address with the signature in its query, which holds for so many seconds. Only the host is signed of the
    headers, as any other may be changed on the way."""
    host = {name: value for name, value in headers.items() if name.lower() == "host"}
    names, canonical = _canonical_headers(host)
    more = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key_id}/{moment[:8]}/{region}/{service}/aws4_request",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
        **({"X-Amz-Security-Token": session} if session else {}),
    }
    url += ("&" if urlsplit(url).query else "?") + urlencode(more, quote_via=quote, safe="-_.~")
    content = hashlib.sha256(body).hexdigest()
    signature, _ = _aws4_signature(
        [method, _aws_path(url), _aws_query(url), canonical, names, content], secret, region, service, moment
    )
    return f"{url}&X-Amz-Signature={signature}"


def _canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    """The names of the signed headers, and their lines."""
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    return ";".join(name for name, _ in lines), "".join(f"{name}:{value}\n" for name, value in lines)


def _aws_path(url: str) -> str:
    """The path of the address, escaped once more: as every service but S3 wants it."""
    return quote(urlsplit(url).path or "/", safe="/-_.~")


def _aws_query(url: str) -> str:
    pairs = [one.partition("=")[::2] for one in urlsplit(url).query.split("&") if one]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _aws4_signature(parts: list[str], secret: str, region: str, service: str, moment: str) -> tuple[str, str]:
    """The signature of a canonical request, and its scope."""
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    request = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, request))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), scope
