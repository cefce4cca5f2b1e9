"""CA bundles (PEM) as a trust store, which is what Java reads; written by Java itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError

from imagelake.engine.conf import TRUST_PASSWORD
from imagelake.errors import ConfigError

_PLACE = "javax.net.ssl.trustStore"
_BUNDLES = "imagelake.trusted"  # digests of the bundles whose certificates are in our trust store


def trusts_others(jvm: Any) -> bool:
    """Whether this Java was started with a trust store that is not ours."""
    system = jvm.java.lang.System
    return system.getProperty(_PLACE) is not None and system.getProperty(_BUNDLES) is None


def trust_bundle(jvm: Any, gateway: Any, bundle: str, scratch: Callable[[], Path]) -> Path:
    """The trust store of these certificates and of all bundles before them; in force for this Java from now on."""
    system, pem = jvm.java.lang.System, Path(bundle).expanduser()
    try:
        digest = hashlib.sha256(pem.read_bytes()).hexdigest()
        before, digests = system.getProperty(_PLACE), (system.getProperty(_BUNDLES) or "").split()
        if not digests or not Path(before).is_file():
            before, digests = None, []
        if digest in digests:
            return Path(before)
        target = Path(before) if before else scratch() / "trust.p12"
        _add(jvm, gateway, pem, target, digest)
    except (OSError, Py4JJavaError) as error:
        reason = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else error.strerror
        raise ConfigError(f"s3.ca_bundle = {bundle}: {reason}", hint="a PEM file of certificates") from None
    system.setProperty(_PLACE, str(target))
    system.setProperty("javax.net.ssl.trustStorePassword", TRUST_PASSWORD)
    system.setProperty(_BUNDLES, " ".join([*digests, digest]))
    return target


def _add(jvm: Any, gateway: Any, pem: Path, target: Path, digest: str) -> None:
    password = gateway.new_array(jvm.char, len(TRUST_PASSWORD))
    for place, letter in enumerate(TRUST_PASSWORD):
        password[place] = letter
    store = jvm.java.security.KeyStore.getInstance("PKCS12")
    before = jvm.java.io.FileInputStream(str(target)) if target.is_file() else None
    store.load(before, password)
    stream = jvm.java.io.FileInputStream(str(pem))
    for number, certificate in enumerate(
        jvm.java.security.cert.CertificateFactory.getInstance("X.509").generateCertificates(stream)
    ):
        store.setCertificateEntry(f"{digest}-{number}", certificate)
    written = target.with_suffix(".tmp")
    out = jvm.java.io.FileOutputStream(str(written))
    store.store(out, password)
    for opened in (out, stream, *([before] if before else [])):
        opened.close()
    written.replace(target)  # other threads read it
