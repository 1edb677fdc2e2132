"""The Hub through its official client: one fixed host, no token, bounded in time and size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.catalog.errors import CatalogError
from service.catalog.hub import Absent, HubBroken, HubGated, HubSlow

ENDPOINT = "https://huggingface.co"
TIMEOUT_S = 5.0
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DOWNLOAD_TIMEOUT": str(int(TIMEOUT_S)),
}
"""Read by the client when it is imported; what the operator has set stays."""


def client_module() -> Any:
    """huggingface_hub, imported only where the Hub is on.

    Raises: CatalogError where it is not installed.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import_module("huggingface_hub.errors")
        return import_module("huggingface_hub")
    except ImportError as error:
        raise CatalogError("HUB=on needs huggingface_hub: install the extra `hub`") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialClient:
    """The network of a `Hub`; tests put a stand-in's address in place of the endpoint."""

    client: Any
    endpoint: str = ENDPOINT
    timeout_s: float = TIMEOUT_S

    def config_text(self, repository: str, folder: str | None, limit_bytes: int) -> str:
        """config.json, once its size and its place are known to be right."""
        path = f"{folder}/config.json" if folder else "config.json"
        url = self.client.hf_hub_url(repository, path, endpoint=self.endpoint)
        with self._failures(repository):
            found = self.client.get_hf_file_metadata(
                url, token=False, timeout=self.timeout_s, endpoint=self.endpoint
            )
            self._refuse_elsewhere(found.location)
            if found.size is None or found.size > limit_bytes:
                raise HubBroken(
                    f"config.json of {repository} has {found.size} bytes; at most {limit_bytes} "
                    "are read"
                )
            with tempfile.TemporaryDirectory() as place:
                file = self.client.hf_hub_download(
                    repository,
                    path,
                    endpoint=self.endpoint,
                    token=False,
                    etag_timeout=self.timeout_s,
                    local_dir=place,
                )
                return Path(file).read_text(encoding="utf-8")

    def element_count(self, repository: str) -> int | None:
        """The Hub's own count over the safetensors headers."""
        api = self.client.HfApi(endpoint=self.endpoint, token=False)
        with self._failures(repository):
            info = api.model_info(repository, expand=["safetensors"], timeout=self.timeout_s)
        counted = info.safetensors
        return None if counted is None else sum(counted.parameters.values())

    def _refuse_elsewhere(self, location: str) -> None:
        if urlsplit(location).netloc != urlsplit(self.endpoint).netloc:
            raise HubBroken("the Hub points to another host for config.json; that is not followed")

    @contextmanager
    def _failures(self, repository: str) -> Generator[None, None, None]:
        """Turn the client's errors into ours; the first row that fits an error or its cause."""
        errors = self.client.errors
        rows: tuple[tuple[str, Callable[[], Exception]], ...] = (
            ("GatedRepoError", lambda: HubGated(f"{repository} is gated; post its config instead")),
            ("DisabledRepoError", lambda: Absent(repository)),
            ("RepositoryNotFoundError", lambda: Absent(repository)),
            ("RevisionNotFoundError", lambda: Absent(repository)),
            ("RemoteEntryNotFoundError", lambda: Absent(repository)),
            ("HFValidationError", lambda: Absent(repository)),
        )
        try:
            yield
        except (HubBroken, HubGated, HubSlow, Absent):
            raise
        except Exception as error:
            for name, ours in rows:
                if isinstance(error, getattr(errors, name)):
                    raise ours() from error
            if any("Timeout" in type(one).__name__ for one in _causes(error)):
                raise HubSlow(f"the Hub did not answer within {self.timeout_s:g} s") from error
            raise HubBroken("the Hub could not be asked") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
