"""A CA bundle (PEM) as a trust store, which is what Java reads; written by Java itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError

from imagelake.errors import ConfigError
from imagelake.jvm.conf import TRUST_PASSWORD


def trust_bundle(jvm: Any, gateway: Any, bundle: str, folder: Path) -> Path:
    """The trust store of these certificates, in force for this Java from now on."""
    target = folder / "trust.p12"
    try:
        stream = jvm.java.io.FileInputStream(str(Path(bundle).expanduser()))
        found = jvm.java.security.cert.CertificateFactory.getInstance("X.509").generateCertificates(stream)
        store = jvm.java.security.KeyStore.getInstance("PKCS12")
        password = gateway.new_array(jvm.char, len(TRUST_PASSWORD))
        for place, letter in enumerate(TRUST_PASSWORD):
            password[place] = letter
        store.load(None, password)
        for number, certificate in enumerate(found):
            store.setCertificateEntry(f"ca-{number}", certificate)
        out = jvm.java.io.FileOutputStream(str(target))
        store.store(out, password)
        out.close()
        stream.close()
    except Py4JJavaError as error:
        told = str(error.java_exception.getMessage())
        raise ConfigError(f"s3.ca_bundle = {bundle}: {told}", hint="a PEM file of certificates") from None
    jvm.java.lang.System.setProperty("javax.net.ssl.trustStore", str(target))
    jvm.java.lang.System.setProperty("javax.net.ssl.trustStorePassword", TRUST_PASSWORD)
    return target
