"""A filter without a network: it lowers what is quiet. For tests of what surrounds a filter."""

import numpy as np

HOP_SEC = 0.016


class GateStream:
    """Hops that are quiet come out ten times softer; what comes out lags by up to a hop."""

    def __init__(self, sample_rate, channels, threshold, gain=1.0):
        self.hop = max(1, round(HOP_SEC * sample_rate))
        self.threshold = threshold
        self.gain = np.float32(gain)
        self.rest = np.zeros((channels, 0), np.float32)

    def push(self, block):
        sound = np.concatenate([self.rest, block], axis=1)
        whole = sound.shape[1] // self.hop * self.hop
        self.rest = sound[:, whole:]
        return self._gated(sound[:, :whole])

    def finish(self):
        rest, self.rest = self.rest, self.rest[:, :0]
        return self._gated(rest)

    def _gated(self, sound):
        out = np.empty_like(sound)
        for start in range(0, sound.shape[1], self.hop):
            hop = sound[:, start : start + self.hop]
            loud = np.sqrt(np.mean(hop**2)) >= self.threshold
            out[:, start : start + self.hop] = self.gain * hop * np.float32(1.0 if loud else 0.1)
        return out


class Gate:
    """As :class:`avpipe.Denoiser` is used by the commands.

    Args:
        threshold: root mean square below which a hop is noise.
        gain: amplitude that everything is multiplied with.
    """

    def __init__(self, threshold=0.05, gain=1.0):
        self.threshold = threshold
        self.gain = gain
        self.num_streams = 0

    def stream(self, sample_rate, channels):
        self.num_streams += 1
        return GateStream(sample_rate, channels, self.threshold, self.gain)


def words(duration_sec, rate_hz=16000, noise=0.02, seed=0, channels=1):
    """(channels, samples) float32: tones of 0.3 s that come and go every half second, in white noise.

    ``noise`` is its root mean square; that of a word is 0.2.
    """
    times = np.arange(round(duration_sec * rate_hz)) / rate_hz
    spoken = (times % 0.5 < 0.3) * 0.2 * np.sqrt(2) * np.sin(2 * np.pi * 440 * times)
    rng = np.random.default_rng(seed)
    return (spoken + noise * rng.standard_normal((channels, len(times)))).astype(np.float32)
