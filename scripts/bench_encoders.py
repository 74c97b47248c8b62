"""How many clips a second the encoders of frames train on, and how large they are.

    python scripts/bench_encoders.py [residual3d x3d ...] [--batch 8] [--rounds 6]

A step is forward and backward of a batch of 16 frames of 112x112 on one thread. The encoders take turns, and the best
of the rounds is told, by the processor's own time: what else the machine does costs little of it.
"""

import argparse
import time

import torch
from torch import nn

from avpipe.config import compose, conf_dir, instantiate, plain

FRAMES, SIDE_PX = 16, 112


def sec_of(encoder: nn.Module, clips: torch.Tensor, lengths: torch.Tensor) -> float:
    """CPU time of one step."""
    began = time.process_time()
    sequence, _ = encoder(clips, lengths)
    sequence.square().mean().backward()
    return time.process_time() - began


def main() -> None:
    own = [path.stem for path in (conf_dir() / "encoder").glob("*.yaml")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", nargs="*", default=["residual3d", "shift2d", "frames2d", "x3d"], metavar="encoder")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args()
    if unknown := set(asked.encoders) - set(own):
        parser.error(f"no such encoder: {', '.join(sorted(unknown))}; choose from: {', '.join(sorted(own))}")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # of which untrained networks are full
    torch.manual_seed(0)
    clips, lengths = torch.randn(asked.batch, 3, FRAMES, SIDE_PX, SIDE_PX), torch.full((asked.batch,), FRAMES)
    configs = {name: plain(compose("train", ["task=action", f"encoder={name}"])) for name in asked.encoders}
    encoders = {name: instantiate(config["encoder"]) for name, config in configs.items()}
    rounds = [
        {name: sec_of(encoder, clips, lengths) for name, encoder in encoders.items()} for _ in range(asked.rounds)
    ]
    for name, encoder in encoders.items():
        parameters = sum(parameter.numel() for parameter in encoder.parameters())
        rate = asked.batch / min(seconds[name] for seconds in rounds)
        print(f"{name:12} {parameters / 1e6:6.2f} M parameters {rate:7.2f} clips/s")


if __name__ == "__main__":
    main()
