"""How Kubeflow Pipelines is reached and knows who asks: address, authority, token, cookies."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from parivision.errors import SettingsError
from parivision.settings.addresses import http_address
from parivision.settings.logins import credential, given, read_key
from parivision.settings.redaction import KFP

PAGES: Final = "PARIVISION_KFP_UI"
CA_FILE: Final = "PARIVISION_KFP_CA_FILE"
TOKEN_FILE: Final = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - a variable's name
_TOKEN, _COOKIES = KFP
_ENDPOINT: Final = (
    "expected an address such as http://localhost:8888, in --endpoint or PARIVISION_KFP"
)


@dataclass(frozen=True)
class KfpAccess:
    """How KFP knows who asks, all empty where nobody needs to: never shown.

    `namespace` is the user's, for a KFP of many users; `ca_file` the authority that signed KFP's
    certificate, if no public one did.
    """

    token: str = field(default="", repr=False)
    cookies: str = field(default="", repr=False)
    token_file: str = ""
    namespace: str = ""
    ca_file: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str], ca_file: str = "") -> "KfpAccess":
        """From the variables that KFP's own command line and client read, and KFP_COOKIES.

        Raises SettingsError for a credential or a file that cannot be used.
        """
        return cls(
            token=credential(_TOKEN, given(environment, _TOKEN) or "", in_head=True),
            cookies=credential(_COOKIES, given(environment, _COOKIES) or "", in_head=True),
            token_file=environment.get(TOKEN_FILE, ""),
            namespace=environment.get("KFP_NAMESPACE", ""),
            ca_file=_authority(ca_file) if ca_file else "",
        )

    def token_of_today(self) -> str:
        """The token in the file, which the kubelet renews; raises SettingsError."""
        text = read_key(Path(self.token_file), TOKEN_FILE)
        return credential(f"{TOKEN_FILE}: {self.token_file}", text, in_head=True)

    def secrets(self) -> Iterator[str]:
        """What no message may show."""
        yield from (self.token, self.cookies)
        if self.token_file:
            try:
                yield self.token_of_today()
            except SettingsError:
                return

    def refresh_api_key_hook(self, configuration: Any) -> None:
        """Put the token of today into KFP's configuration; KFP calls this before every request."""
        configuration.api_key["authorization"] = self.token_of_today()


def checked_endpoint(endpoint: str) -> str:
    """KFP's address without a slash at its end; raises SettingsError for what is none."""
    text = endpoint.strip()
    parts = http_address("the endpoint of Kubeflow Pipelines", text, _ENDPOINT)
    if parts.username or parts.password:
        raise SettingsError(
            "the endpoint of Kubeflow Pipelines holds a user or password, which KFP does not take: "
            f"set {_TOKEN} or {_COOKIES}"
        )
    return text.rstrip("/")


def checked_pages(address: str) -> str:
    """The address of KFP's user interface without a slash at its end; raises SettingsError."""
    text = address.strip()
    expected = "expected an address such as http://localhost:8888, without a login"
    parts = http_address(PAGES, text, expected)
    if parts.username or parts.password:
        raise SettingsError(f"{PAGES} holds a user or password: {expected}")
    return text.rstrip("/")


def configure(configuration: Any, access: KfpAccess) -> Any:
    """The configuration of KFP's generated client, with what opens the door."""
    # Whoever follows a run asks again by himself, and knows for how long.
    configuration.retries = False
    configuration.ssl_ca_cert = access.ca_file or None
    configuration.api_key_prefix["authorization"] = "Bearer"
    if access.token:
        configuration.api_key["authorization"] = access.token
    elif access.token_file:
        # The client sends a token only if one is here; its hook then puts the newest in its place.
        configuration.api_key["authorization"] = "read before each request"
        configuration.refresh_api_key_hook = access.refresh_api_key_hook
    return configuration


def _authority(file: str) -> str:
    """The path of a file with certificates; raises SettingsError when it is none."""
    expected = "expected a PEM file with the certificate of the authority that signed KFP's"
    try:
        path = Path(file).expanduser()
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise SettingsError(f"{CA_FILE}: {file} holds no certificate: {expected}") from None
    except (OSError, ValueError, RuntimeError) as error:
        kind = type(error).__name__
        raise SettingsError(f"{CA_FILE}: {file} could not be read ({kind}): {expected}") from None
    return str(path)
