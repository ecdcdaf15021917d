"""The example overlay as podman can play it: one replica, our image, a Job as a Pod, and nothing unknown to podman."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from tests.deploy.podman import IMAGE, ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OVERLAY = ROOT / "deploy" / "kubernetes" / "overlays" / "example"


def rendered() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(run("kubectl", "kustomize", OVERLAY)))


def played(secrets: Path, port: int) -> str:
    """The documents for `podman kube play`; `web` is at this port of the machine."""
    return str(yaml.safe_dump_all(list(_playable(secrets, port))))


def _playable(secrets: Path, port: int) -> Iterator[dict[str, Any]]:
    for document in rendered():
        match document:
            case {"kind": "ConfigMap"}:
                document["data"] |= {"VARSEL_JWKS": "", "VARSEL_BASE_URL": f"http://127.0.0.1:{port}"}
                yield document
            case {"kind": "Deployment"}:
                document["spec"]["replicas"] = 1
                yield document | {
                    "spec": document["spec"] | {"template": _prepared(document["spec"]["template"], secrets, port)}
                }
            case {"kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}:
                pod = _prepared(template, secrets, port)
                yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod["spec"]}


def _prepared(template: dict[str, Any], secrets: Path, port: int) -> dict[str, Any]:
    for container in template["spec"]["containers"]:
        container |= {"image": IMAGE, "imagePullPolicy": "Never"}
        ports = container.pop("ports", [])  # podman publishes each at the machine
        if container["name"] == "web":
            container["ports"] = [each | {"hostPort": port, "hostIP": "127.0.0.1"} for each in ports]
    for volume in template["spec"]["volumes"]:
        if volume.pop("secret", None):  # podman 4.3 does not decode them
            volume["hostPath"] = {"path": str(secrets), "type": "Directory"}
    return template
