"""What encoders cost: parameters, multiply-adds, training speed, and how long an answer takes.

    python scripts/bench_encoders.py [residual3d x3d ...]
    python scripts/bench_encoders.py --task sound_event [lenet5 alexnet torchvision/vgg16 timm/convnext_atto ...]
                                     [--set preprocess.audio.n_mels=80] [--batch 8] [--rounds 6] [--bf16]

Each stands in its task's network and sees full windows as the task makes them: 16 frames of 112x112 pixels, or the mel
windows of ESC-10. A step is forward and backward of a batch on one thread, an answer is one window in eval mode. The
encoders take turns, and the best of the rounds is told, by the processor's own time: what else the machine does costs
little of it.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from avpipe.bundle import full_window
from avpipe.config import compose, conf_dir, instantiate, plain
from avpipe.errors import AvpipeError
from avpipe.networks import Network, layer_arithmetic

CLASSICS = "lenet5 alexnet vgg16_bn resnet18 googlenet inception_v3 densenet121 mobilenet_v2 efficientnet_b0 residual2d"
DEFAULTS = {"sound_event": CLASSICS.split(), "action": ["residual3d", "shift2d", "frames2d", "x3d"]}


class Contestant:
    """A network of a task, and its windows.

    Args:
        overrides: of ``avpipe train``, which choose them.
        batch: windows a training step.
        bf16: train as ``device.precision=bf16-mixed`` does.
    """

    def __init__(self, overrides: Sequence[str], batch: int, bf16: bool) -> None:
        config = plain(compose("train", overrides))
        self.network: Network = instantiate({**config["network"], "num_outputs": 10})
        self.one, self.one_lengths = full_window(instantiate(config["preprocess"]))
        self.many = {sense: torch.randn(batch, *value.shape[1:]) for sense, value in self.one.items()}
        self.many_lengths = {sense: value.expand(batch) for sense, value in self.one_lengths.items()}
        self.batch, self.bf16 = batch, bf16
        self.sums = layer_arithmetic(self.network, self.one, self.one_lengths)

    def train(self) -> None:
        """One step of training, without the optimizer."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            output = self.network.train()(self.many, self.many_lengths)
            loss = sum((each.square().mean() for each in output.auxiliary.values()), output.value.square().mean())
        loss.backward()

    @torch.inference_mode()
    def answer(self) -> None:
        """One window."""
        self.network.eval()(self.one, self.one_lengths)


def sec_of(call: Callable[[], None]) -> float:
    """CPU time of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def measured(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, tuple[float, float]]:
    """Of each: windows a second that it learns from, and milliseconds that an answer takes; the best of the rounds."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # of which untrained networks are full
    turns = [
        {name: (sec_of(each.train), sec_of(each.answer)) for name, each in contestants.items()} for _ in range(rounds)
    ]
    found = {}
    for name, each in contestants.items():
        step, answer = (min(seconds[name][place] for seconds in turns) for place in (0, 1))
        found[name] = each.batch / step, 1e3 * answer
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", nargs="*", metavar="encoder")
    parser.add_argument("--task", default="action", choices=sorted(DEFAULTS))
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--bf16", action="store_true", help="train in mixed precision; answers stay in 32 bits")
    asked = parser.parse_args()
    own = {path.stem for path in (conf_dir() / "encoder").glob("*.yaml")}
    names = asked.encoders or DEFAULTS[asked.task]
    if unknown := {name for name in names if name.partition("/")[0] not in own}:
        parser.error(f"no such encoder: {', '.join(sorted(unknown))}; choose from: {', '.join(sorted(own))}")
    torch.manual_seed(0)
    contestants = {}
    for name in names:
        group, _, alone = name.partition("/")
        chosen = [f"task={asked.task}", f"encoder={group}", *([f"encoder.name={alone}"] if alone else [])]
        try:
            contestants[name] = Contestant([*chosen, *asked.overrides], asked.batch, asked.bf16)
        except AvpipeError as error:
            print(f"{name}: left out: {error}")
    for name, (speed, answer_ms) in measured(contestants, asked.rounds).items():
        sums = contestants[name].sums
        print(
            f"{name:32} {sums.parameters / 1e6:6.2f} M parameters {sums.multiply_adds / 1e6:8.1f} M "
            f"multiply-adds {speed:7.2f} windows/s trained {answer_ms:7.1f} ms an answer"
        )


if __name__ == "__main__":
    main()
