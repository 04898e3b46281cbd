"""The Java of the wheel, and whom it trusts."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from sentiment.errors import SetupError
from sentiment.runtime import java


def test_java_17_of_the_wheel_comes_first_on_the_path() -> None:
    env = java.java_environment()
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    output = subprocess.run(["java", "-version"], env=env, capture_output=True, text=True, check=True).stderr
    assert 'version "17.' in output
    assert env["JAVA_HOME"] == str(java.java_home())


def test_java_reads_the_store_of_this_machines_certificates(tmp_path: Path) -> None:
    bundle = Path(ssl.get_default_verify_paths().openssl_cafile)
    if not bundle.is_file():
        pytest.skip("this machine has no certificate file")
    flags = java.trust_store(tmp_path)
    (store,) = tmp_path.glob("trust-*.p12")
    written = store.stat().st_mtime_ns
    assert java.trust_store(tmp_path) == flags
    assert store.stat().st_mtime_ns == written
    keytool = [str(java.java_home() / "bin" / "keytool"), "-list", "-keystore", str(store)]
    keytool += ["-storepass", java.TRUST_PASSWORD]
    output = subprocess.run(keytool, capture_output=True, text=True, check=True).stdout
    assert output.count("trustedCertEntry") == bundle.read_text("utf-8", "replace").count("BEGIN CERTIFICATE")


def test_no_certificate_file_no_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = ssl.DefaultVerifyPaths(*[""] * 6)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: none)
    assert java.trust_store(tmp_path) == []


def test_an_unreadable_certificate_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bad.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with pytest.raises(SetupError, match=str(bundle)):
        java.trust_store(tmp_path / "cache")
    assert not list(tmp_path.rglob("*.p12"))
