"""What computes the networks: torch, or onnxruntime on exported graphs."""

from collections.abc import Sequence

from avpipe.inference.model import Model


def load_models(names: Sequence[str], runtime: str, device: str) -> list[Model]:
    from avpipe.bundle import find_bundle, load_bundle
    from avpipe.device import choose_device

    return [load_bundle(find_bundle(name), choose_device(device)) for name in names]
