"""Make a denoising network larger without changing what it says, for a second round of training.

usage: python scripts/grow_denoiser.py BUNDLE OUTPUT HIDDEN DILATION...

New channels inside the blocks and new blocks behind the others begin with weights of nothing where they end, so that
the larger network says what the smaller one said, and learns on from there (``avpipe train ... init_from=OUTPUT``).

Reference: T. Chen, I. Goodfellow, J. Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", 2015,
arXiv:1511.05641.
"""

import sys
from pathlib import Path
from typing import cast

import torch

from avpipe.bundle import find_bundle, load_bundle, read_specs, save_bundle
from avpipe.config import instantiate
from avpipe.networks import DenoisingNetwork


def grown(network: DenoisingNetwork, larger: DenoisingNetwork) -> DenoisingNetwork:
    """``larger`` with the weights of ``network``, and zeros wherever what is new would say anything."""
    given = network.state_dict()
    with torch.no_grad():
        for name, tensor in larger.state_dict().items():
            if ".narrow." in name or ".out." in name:  # where a block and a mixing of bands end
                tensor.zero_()
            if name in given:
                tensor[tuple(slice(size) for size in given[name].shape)] = given[name]
    return larger


def main() -> None:
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    source, output, hidden, *dilations = sys.argv[1:]
    bundle, specs = load_bundle(find_bundle(source)), read_specs(find_bundle(source))
    specs["network"] = {**specs["network"], "hidden": int(hidden), "dilations": [int(each) for each in dilations]}
    network = cast(DenoisingNetwork, bundle.network)
    larger = grown(network, instantiate(specs["network"])).eval()
    spectrum = 0.1 * torch.randn(2, 2, 50, 257)
    said, says = (each.estimate(spectrum, each.initial_state(2))[0] for each in (network, larger))
    torch.testing.assert_close(says, said, rtol=0, atol=1e-4)
    save_bundle(Path(output), specs, larger, bundle.objective, bundle.origin)
    print(f"{output}: {sum(each.numel() for each in larger.parameters())} parameters")


if __name__ == "__main__":
    main()
