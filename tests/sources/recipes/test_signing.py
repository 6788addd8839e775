# ruff: noqa: E501
"""Pipes and signatures, against answers that others published: AWS's test suite, RFC 4231, RFC 7515 and botocore."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from portal.sources.recipes.filling import BadValue, each_of, fill
from portal.sources.recipes.model import Batch, Request, Sign, Upload
from portal.sources.recipes.placeholders import MASK, masked
from portal.sources.recipes.signing import BadKey, aws4_headers, json_web_token

AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
NUMBER = "+34612345678"
SECRETS = {"ID": "AKIDEXAMPLE", "KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "USER": "ada", "PASS": 'p"s:w'}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{digits|sha256}", hashlib.sha256(b"34612345678").hexdigest()),
        ("{digits|md5|upper}", hashlib.md5(b"34612345678").hexdigest().upper()),
        ("{secret:USER|basic:PASS}", base64.b64encode(b'ada:p"s:w').decode()),
        ("{secret:USER|sha1|b64}", base64.b64encode(hashlib.sha1(b"ada").digest()).decode()),
        ("{digits|prefix:00|suffix:/x}", "0034612345678/x"),
        ("{e164|hex}", NUMBER.encode().hex()),
        ("{secret:USER|b64|unb64}", b"ada".hex()),
        ("{now}", "2015-08-30T12:36:00Z"),
        ("{now|unix}", "1440938160"),
        ("{now|plus:300|unix}", "1440938460"),
        ("{now|unix_ms}", "1440938160000"),
        ("{now|amz}", "20150830T123600Z"),
        ("{now|date}", "2015-08-30"),
        ("{now|http}", "Sun, 30 Aug 2015 12:36:00 GMT"),
        ("{{digits|md5}} {{name}}", "{digits|md5} {name}"),
    ],
)
def test_a_pipe_converts_a_value(text: str, filled: str) -> None:
    request = Request("https://h.example", "POST", {"Content-Type": "text/plain"}, text)
    assert fill(request, [NUMBER], SECRETS, now=AT).body == filled.encode()


def test_what_a_pipe_makes_of_a_secret_is_escaped_and_masked() -> None:
    request = Request(
        "https://h.example/?b={secret:USER|basic:PASS}&p={secret:PASS|b64}",
        headers={"Authorization": "Basic {secret:USER|basic:PASS}"},
    )
    filled = fill(request, [NUMBER], SECRETS, now=AT)
    basic = base64.b64encode(b'ada:p"s:w').decode()
    assert filled.headers["Authorization"] == f"Basic {basic}"
    assert parse_qs(urlsplit(filled.url).query)["b"] == [basic]
    assert masked(filled.headers["Authorization"], filled.secrets) == f"Basic {MASK}"
    assert basic[:8] not in masked(filled.url, filled.secrets)
    assert set(filled.keys) == {"ada", 'p"s:w'}  # and not what was made of them


def test_a_nonce_is_the_same_within_a_request_and_another_in_the_next() -> None:
    request = Request("https://h.example/{nonce}", headers={"X": "{nonce}"})
    one, two = (fill(request, [NUMBER], {}) for _ in "12")
    assert one.url.endswith(one.headers["X"]) and one.url != two.url


def test_robinson_writes_its_numbers_so() -> None:
    """Its public client sends SHA-256 of "04" and the number with 00 before its country."""
    assert each_of("{digits|prefix:0400|sha256}", "+34600000000") == hashlib.sha256(b"040034600000000").hexdigest()


# ── HMAC ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hmac_as_in_rfc_4231() -> None:
    """Test case 2 of section 4.3: key "Jefe"."""
    sign = Sign(
        "hmac-sha256", "{secret:K}", "what do ya want for nothing?", {"X": "{signature}", "Y": "{signature|b64}"}
    )
    filled = fill(Request("https://h.example", sign=sign), [NUMBER], {"K": "Jefe"})
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert filled.headers == {"X": known, "Y": base64.b64encode(bytes.fromhex(known)).decode()}


def test_what_is_signed_is_what_is_sent() -> None:
    """As hlr-lookups.com: path, time, method and body."""
    sign = Sign(
        "hmac-sha256",
        "{secret:K}",
        "{path}{now|unix}{method}{body}",
        {"X-Digest-Signature": "{signature}", "X-Digest-Timestamp": "{now|unix}"},
        {"sig": "{signature|b64}"},
    )
    request = Request("https://h.example/hlr-lookup?a=1", "POST", body='{"msisdn": "{e164}"}', sign=sign)
    filled = fill(request, [NUMBER], {"K": "key"}, now=AT)
    text = b'/hlr-lookup1440938160POST{"msisdn": "+34612345678"}'
    digest = hmac.new(b"key", text, hashlib.sha256)
    assert filled.body == b'{"msisdn": "+34612345678"}'
    assert filled.headers["X-Digest-Signature"] == digest.hexdigest()
    assert filled.headers["X-Digest-Timestamp"] == "1440938160"
    assert parse_qs(urlsplit(filled.url).query) == {"a": ["1"], "sig": [base64.b64encode(digest.digest()).decode()]}


def test_a_value_that_breaks_a_signed_header_is_refused() -> None:
    sign = Sign("sha256", "", "x", {"X": "{secret:K}{signature}"})
    with pytest.raises((BadValue, BadKey)):
        fill(Request("https://h.example", sign=sign), [NUMBER], {"K": "a\nX-Admin: 1"})


# ── AWS Signature Version 4 ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "url", "body", "kind", "signature"),
    [  # get-vanilla, get-vanilla-query-order-key-case and post-vanilla of AWS's test suite
        ("GET", "https://example.amazonaws.com/", b"", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", b"", "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("POST", "https://example.amazonaws.com/", b"", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
)  # fmt: skip
def test_aws4_as_in_its_test_suite(method: str, url: str, body: bytes, kind: str, signature: str) -> None:
    headers = {"Host": "example.amazonaws.com"}
    signed = aws4_headers(
        method, url, headers, body, SECRETS["ID"], SECRETS["KEY"], "us-east-1", "service", "20150830T123600Z"
    )
    assert signed["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
        f" SignedHeaders=host;x-amz-date, Signature={signature}"
    )


@pytest.mark.parametrize("place", ["header", "query"])
@pytest.mark.parametrize("session", ["", "{secret:SESSION}"])
def test_aws4_as_botocore_signs(place: str, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the query, only the host is signed of the headers: what lies between may change any other."""
    body = '{"n": "{e164}"}' if place == "header" else ""
    sign = Sign("aws4", "{secret:ID}:{secret:KEY}", place=place, scope="eu-west-1/execute-api", session=session)
    request = Request("https://h.example/v1/a%20b/{e164}?q={e164}&b=1", "POST" if body else "GET", body=body, sign=sign)
    filled = fill(request, [NUMBER], {**SECRETS, "SESSION": "tok/en=="}, now=AT)

    credentials = Credentials(SECRETS["ID"], SECRETS["KEY"], "tok/en==" if session else None)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: AT.replace(tzinfo=None))
    plain = "https://h.example/v1/a%20b/%2B34612345678?q=%2B34612345678&b=1"
    if place == "header":
        theirs = AWSRequest("POST", plain, {"Content-Type": "application/json"}, filled.body)
        SigV4Auth(credentials, "execute-api", "eu-west-1").add_auth(theirs)
        assert filled.headers["Authorization"] == theirs.headers["Authorization"]
    else:
        theirs = AWSRequest("GET", plain)
        SigV4QueryAuth(credentials, "execute-api", "eu-west-1", expires=300).add_auth(theirs)
        assert parse_qs(urlsplit(filled.url).query) == parse_qs(urlsplit(str(theirs.url)).query)


# ── JSON Web Tokens ─────────────────────────────────────────────────────────────────────────────────────────────────

PAYLOAD = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
HS256_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
RSA = {  # of RFC 7515, A.2.1
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
}  # fmt: skip
RS256 = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def rfc_key() -> rsa.RSAPrivateKey:
    n, d, p, q = (number(RSA[name]) for name in "ndpq")
    public = rsa.RSAPublicNumbers(65537, n)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def test_tokens_as_in_rfc_7515() -> None:
    key = base64.urlsafe_b64decode(HS256_KEY + "==")
    assert json_web_token('{"typ":"JWT",\r\n "alg":"HS256"}', PAYLOAD, key).endswith(
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert json_web_token('{"alg":"RS256"}', PAYLOAD, pem(rfc_key())).rpartition(".")[2] == RS256


def test_an_es256_token_is_valid_and_fresh() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sign = Sign(
        "jwt-es256", "{secret:PEM}", headers={"Authorization": "Bearer {signature}"},
        claims='{"iss": "{secret:USER}", "iat": {now|unix}, "exp": {now|plus:300|unix}, "jti": "{nonce}"}',
        token_header={"kid": "k1"},
    )  # fmt: skip
    one_line = pem(key).decode().replace("\n", "\\n")  # as it stands in secrets.env
    filled = fill(Request("https://h.example", sign=sign), [NUMBER], {"PEM": one_line, "USER": 'a"b'}, now=AT)
    token = filled.headers["Authorization"].removeprefix("Bearer ")
    head, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    assert json.loads(head) == {"alg": "ES256", "typ": "JWT", "kid": "k1"}
    assert json.loads(claims) | {"jti": ""} == {"iss": 'a"b', "iat": 1440938160, "exp": 1440938460, "jti": ""}
    r, s = (int.from_bytes(signature[n : n + 32], "big") for n in (0, 32))
    content = token.rpartition(".")[0].encode()
    key.public_key().verify(encode_dss_signature(r, s), content, ec.ECDSA(hashes.SHA256()))
    assert token not in masked(str(filled.headers), filled.secrets)


@pytest.mark.parametrize("key", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_said_without_it(key: str) -> None:
    with pytest.raises(BadKey) as refused:
        json_web_token({"alg": "RS256"}, "{}", key.encode())
    assert str(refused.value) == "not a private key in PEM"


def test_an_upload_is_a_form_with_a_file_of_numbers() -> None:
    request = Request("https://h.example", "POST", form={"email": "{secret:USER}"})
    batch = Batch(request, 9, "@", "@", file=Upload("csv", "{digits}", "msisdn"))
    filled = fill(request, [NUMBER, "+34612345679"], SECRETS, batch=batch)
    assert filled.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    body = (filled.body or b"").decode()
    assert (
        'name="csv"; filename="numbers.csv"\r\nContent-Type: text/csv\r\n\r\nmsisdn\n34612345678\n34612345679\n' in body
    )
    assert 'name="email"\r\n\r\nada\r\n' in body
