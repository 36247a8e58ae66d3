"""Says in CycloneDX what is inside a wheel or a bundle, by name, version and hash: a software bill of materials.

The build of the wheel calls `WheelBom` and puts the document where PEP 770 looks for it. It holds neither a time nor a
number drawn by chance: the same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "edge-runtime"
_LICENSE = [{"license": {"id": "Apache-2.0"}}]


def make_bom(version: str, components: list[dict[str, Any]]) -> bytes:
    """The document of release ``version`` with ``components``, whose ``bom-ref`` are all different."""
    own = package(NAME, version) | {"licenses": _LICENSE}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [{"ref": own["bom-ref"], "dependsOn": sorted(each["bom-ref"] for each in components)}],
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def package(name: str, version: str = "", content: bytes | None = None) -> dict[str, Any]:
    """A Python package, with the hash of its wheel's ``content`` where that is there."""
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}" + (f"@{version}" if version else "")
    found: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "purl": purl}
    return found | ({"version": version} if version else {}) | _hashes(content)


def model(name: str, content: bytes) -> dict[str, Any]:
    """A model file."""
    return {"type": "machine-learning-model", "bom-ref": f"model:{name}", "name": name, **_hashes(content)}


def requirement(line: str) -> dict[str, Any]:
    """A package that the installer chooses, as a ``Requires-Dist`` line names it: which version is not known yet."""
    name = re.match(r"[\w.-]+", line)
    assert name is not None, line
    return package(name[0]) | {"scope": "required", "properties": [{"name": f"{NAME}:requires", "value": line}]}


def _hashes(content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {}
    return {"hashes": [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]}


class WheelBom(BuildHookInterface[Any]):
    """Puts the document of the wheel into its ``dist-info/sboms``."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is written; an editable one gets none."""
        if version != "standard":
            return
        metadata = self.metadata
        models = sorted(Path(self.root, "edge_runtime", "models").glob("*.tflite"))
        components = [model(path.name, path.read_bytes()) for path in models]
        components += [requirement(line) for line in sorted(metadata.core.dependencies)]
        folder = f"{metadata.core.name.replace('-', '_')}-{metadata.version}.dist-info"
        self._made = Path(self.directory, "edge-runtime.cdx.json")
        self._made.parent.mkdir(parents=True, exist_ok=True)
        self._made.write_bytes(make_bom(metadata.version, components))
        build_data["force_include"][str(self._made)] = f"{folder}/sboms/edge-runtime.cdx.json"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is written."""
        if version == "standard":
            self._made.unlink()
