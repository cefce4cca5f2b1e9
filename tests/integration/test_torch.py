"""A training with PyTorch from packages in a bucket: no Spark, no Java, resumed in the middle of an epoch."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from tests.integration.buckets import ROOT, upload_folder
from tests.lakes import LakeMaker

IMAGES, SIDE = 96, 16
DEBIAN = Path("/usr/lib/python3/dist-packages")
"""Where Debian's package python3-torch lies, which `make test` installs; it fits Debian's Python 3.11."""

TRAINING = """if True:
    import json, sys, warnings
    warnings.simplefilter("ignore")
    sys.path.append(sys.argv[1])
    import torch
    from torch.utils.data import DataLoader
    from imagelake.client.lake import Lake
    from imagelake.config.settings import S3Settings
    from imagelake.storage.s3.bucket_storage import S3Storage

    def collate(samples):
        pixels = [torch.frombuffer(bytearray(s.image().tobytes()), dtype=torch.uint8) for s in samples]
        images = (torch.stack(pixels).float() / 128 - 1).reshape(len(samples), SIDE, SIDE, 3).permute(0, 3, 1, 2)
        return images, torch.tensor([s.annotations[0].class_index for s in samples])

    def model():
        torch.manual_seed(0)
        nn = torch.nn
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2))

    def train(net, optimizer, stream, batches):
        losses = []
        loader = DataLoader(stream.torch(), batch_size=None, num_workers=2)
        for number, samples in enumerate(loader):
            if number == batches:
                break
            images, classes = collate(samples)
            loss = torch.nn.functional.cross_entropy(net(images), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def run(stop):
        net = model()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        samples = Lake(S3Storage(sys.argv[2], "", S3Settings.model_validate_json(sys.argv[3]))).load("shapes@v1")
        stream = samples.stream(batch=16, shuffle=True, seed=3)
        losses = train(net, optimizer, stream, None)
        losses += train(net, optimizer, stream.at_epoch(1), stop)
        if stop is None:
            return losses
        state = json.loads(json.dumps(stream.at_epoch(1).state_dict(stop)))
        saved = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
        net = model()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        return losses + train(net, optimizer, stream.resumed(state), None)

    SIDE = 16
    whole, resumed = run(None), run(2)
    heavy = [name for name in ("pyspark", "py4j", "delta") if name in sys.modules]
    print(json.dumps({"whole": whole, "resumed": resumed, "heavy": heavy}))
"""


def torch_folder() -> str:
    """Where PyTorch is imported from; the test is skipped where it is not installed."""
    if find_spec("torch") is not None:
        return ""
    if (DEBIAN / "torch").is_dir() and sys.version_info[:2] == (3, 11):
        return str(DEBIAN)
    pytest.skip("PyTorch is not installed: apt-get install python3-torch")


def picture(n: int) -> bytes:
    """A bright or a dark square, with noise."""
    chance = random.Random(n)
    level = 60 + 120 * (n % 2)
    noise = bytes(level + chance.randrange(40) for _ in range(SIDE * SIDE * 3))
    out = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), noise).save(out, "PNG")
    return out.getvalue()


def test_a_network_learns_from_packages_and_goes_on_where_it_stopped(rgw_bucket, tmp_path) -> None:
    folder = torch_folder()
    maker = LakeMaker(tmp_path / "lake")
    contents = [picture(n) for n in range(IMAGES)]
    for n, data in enumerate(contents):
        maker.image("shapes", f"{n:03}.png", data, width=SIDE, height=SIDE, split="train")
        maker.box("shapes", f"{n:03}.png", ("dark", "bright")[n % 2], (0, 0, SIDE, SIDE))
    maker.keep("shapes", contents, "stored")
    maker.deliver("shapes")
    maker.publish("shapes")
    maker.flush()
    storage = rgw_bucket.storage()
    upload_folder(storage, maker.root)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("JAVA")}
    environ |= {"PATH": "/nowhere", "IMAGELAKE_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", TRAINING, folder, storage.bucket, storage.settings.model_dump_json()]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["heavy"] == []
    assert len(answer["whole"]) == 12
    assert answer["resumed"] == pytest.approx(answer["whole"])
    assert sum(answer["whole"][6:]) < 0.8 * sum(answer["whole"][:6])
