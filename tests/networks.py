"""Networks of torchvision, timm and ultralytics, with random weights, through the whole
way: compiled, verified, run, held against the integer reference and onnxruntime.
Run by hand:

    pip install torch torchvision timm ultralytics onnx onnxruntime onnxscript numpy
    cargo build --release
    python tests/networks.py target/release/vta FOLDER [NAME ...]

Models, samples and results (FOLDER/results.json) stay in FOLDER; what is there is
not done again.  `python tests/networks.py --table FOLDER` prints the table of
docs/operators.md.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import warnings

SAMPLES = 2
CALIBRATION = 4


def torchvision_model(name):
    import torchvision

    return lambda: torchvision.models.get_model(name, weights=None, weights_backbone=None) if "deeplab" in name or "fcn" in name or "lraspp" in name else torchvision.models.get_model(name, weights=None)


def timm_model(name):
    import timm

    return lambda: timm.create_model(name, pretrained=False)


def yolo(name):
    def make():
        from ultralytics import YOLO

        model = YOLO(f"{name}.yaml").model.float().eval()
        for m in model.modules():
            if hasattr(m, "export"):
                m.export, m.format = True, "onnx"
        return model

    return make


def ssdlite():
    import torch
    import torchvision

    class Heads(torch.nn.Module):
        """The network without the choice of boxes, whose number depends on values."""

        def __init__(self):
            super().__init__()
            self.of = torchvision.models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)

        def forward(self, x):
            features = list(self.of.backbone(x).values())
            out = self.of.head(features)
            return out["bbox_regression"], out["cls_logits"]

    return Heads()


def segmentation(name):
    import torch
    import torchvision

    class Out(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.of = torchvision.models.get_model(name, weights=None, weights_backbone=None)

        def forward(self, x):
            return self.of(x)["out"]

    return Out


def unet(up):
    import torch
    from torch import nn

    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())

    def upper(a, b):
        if up == "transposed":
            return nn.ConvTranspose2d(a, b, 2, 2)
        kind = {"mode": "nearest"} if up == "nearest" else {"mode": "bilinear", "align_corners": up == "corners"}
        return nn.Sequential(nn.Upsample(scale_factor=2, **kind), nn.Conv2d(a, b, 1))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = block(3, 16), block(16, 32), block(32, 64)
            self.up2, self.up1 = upper(64, 32), upper(32, 16)
            self.d, self.e, self.out = block(64, 32), block(32, 16), nn.Conv2d(16, 2, 1)

        def forward(self, x):
            pool = nn.functional.max_pool2d
            a = self.a(x)
            b = self.b(pool(a, 2))
            c = self.c(pool(b, 2))
            d = self.d(torch.cat([self.up2(c), b], 1))
            e = self.e(torch.cat([self.up1(d), a], 1))
            return self.out(e)

    return UNet


def espcn():
    from torch import nn

    return nn.Sequential(nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh(), nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3))


def keywords():
    from torch import nn

    def layer(a, b, k, s):
        return nn.Sequential(nn.Conv1d(a, b, k, s, k // 2), nn.BatchNorm1d(b), nn.ReLU())

    return nn.Sequential(layer(40, 64, 9, 2), layer(64, 96, 5, 1), nn.MaxPool1d(2), layer(96, 96, 5, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(96, 12))


def lstm():
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.LSTM(40, 64, 2, batch_first=True, bidirectional=True)
            self.h = nn.Linear(128, 10)

        def forward(self, x):
            y, _ = self.l(x)
            return self.h(y[:, -1])

    return Net()


def gru():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.GRU(40, 64, batch_first=True)
            self.h = nn.Linear(64, 10)

        def forward(self, x):
            y, _ = self.l(x)
            return self.h(y[:, -1])

    return Net()


IMAGE = (1, 3, 64, 64)


def networks():
    vision = "resnet18 resnet50 mobilenet_v2 mobilenet_v3_small efficientnet_b0 regnet_y_400mf shufflenet_v2_x1_0 densenet121 convnext_tiny".split()
    out = {n: (torchvision_model(n), IMAGE) for n in vision}

    def googlenet():
        import torchvision

        return torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False)

    out["googlenet"] = (googlenet, IMAGE)
    out["vit_b_16"] = (torchvision_model("vit_b_16"), (1, 3, 224, 224))
    out["ssdlite320"] = (ssdlite, (1, 3, 160, 160))
    for n in ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"]:
        out[n] = (segmentation(n), (1, 3, 64, 64))
    for n in "ghostnet_100 lcnet_050 hardcorenas_a mobilevit_xxs edgenext_xx_small tinynet_e repvgg_a0 mobileone_s0".split():
        size = 64 if n not in ("mobilevit_xxs", "edgenext_xx_small") else 128
        out[n] = (timm_model(n), (1, 3, size, size))
    for n in ["yolov5n", "yolov8n", "yolo11n"]:
        out[n] = (yolo(n), (1, 3, 160, 160))
    for up in ["nearest", "bilinear", "transposed"]:
        out[f"unet_{up}"] = (unet(up), IMAGE)
    out["espcn"] = (espcn, (1, 1, 40, 40))
    out["keywords_1d"] = (keywords, (1, 40, 100))
    out["lstm"] = (lstm, (1, 30, 40))
    out["gru"] = (gru, (1, 30, 40))
    return out


def export(name, make, shape, kind, path):
    import torch

    torch.manual_seed(1)
    model = make()
    model = model() if isinstance(model, type) else model
    model = model.eval()
    # Statistics of normalisations that are not those of an untrained network.
    for m in model.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 1.5)
            m.weight.data.uniform_(0.6, 1.4)
            m.bias.data.normal_(0, 0.1)
    # Some heads start with zeros, and give nothing.
    for p in model.parameters():
        if p.dim() > 1 and not p.detach().any():
            torch.nn.init.normal_(p, std=0.02)
    x = torch.randn(shape)
    options = {"opset_version": 18, "dynamo": True} if kind == "dynamo" else {"opset_version": 17, "dynamo": False}
    torch.onnx.export(model, (x,), str(path), external_data=False, **options) if kind == "dynamo" else torch.onnx.export(model, (x,), str(path), **options)


def cosine(a, b):
    import numpy as np

    a = np.concatenate([v.reshape(-1) for v in a]).astype(np.float64)
    b = np.concatenate([v.reshape(-1) for v in b]).astype(np.float64)
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-30))


def ort_float(path, samples):
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [session.run(None, {name: s}) for s in samples]


def ort_int8(path, calibration, samples, folder):
    import onnxruntime as ort
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, name):
            self.items = iter([{name: s} for s in calibration])

        def get_next(self):
            return next(self.items, None)

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pre, out = folder / "pre.onnx", folder / "int8.onnx"
    try:
        quant_pre_process(str(path), str(pre), skip_symbolic_shape=True)
    except Exception:
        pre = path
    quantize_static(
        str(pre), str(out), Reader(session.get_inputs()[0].name), quant_format=QuantFormat.QDQ, per_channel=False,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
    )
    return ort_float(out, samples)


def run(vta, *args):
    done = subprocess.run([vta, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        lines = [l for l in done.stderr.splitlines() if l.strip()]
        raise RuntimeError(" | ".join(lines)[:400])
    return done.stdout


def macs(model):
    """Multiply-accumulates that the host does: products of two computed tensors, recurrent layers."""
    import onnx

    model = onnx.shape_inference.infer_shapes(model)
    dims = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*model.graph.value_info, *model.graph.output, *model.graph.input]}
    weights = {i.name: list(i.dims) for i in model.graph.initializer}
    total = 0
    for n in model.graph.node:
        if n.op_type in ("RNN", "GRU", "LSTM"):
            steps = (dims.get(n.input[0]) or [1])[0]
            for w in n.input[1:3]:
                count = steps
                for d in weights.get(w, [0]):
                    count *= d
                total += count
        if n.op_type == "MatMul" and not any(i in weights for i in n.input):
            out, a = dims.get(n.output[0]), dims.get(n.input[0])
            if out and a:
                count = 1
                for d in out:
                    count *= d
                total += count * a[-1]
    return total


def measure(vta, path, shape, folder):
    import numpy as np
    import onnx

    start = time.time()
    rng = np.random.default_rng(1)
    samples = [rng.standard_normal(shape).astype(np.float32) for _ in range(SAMPLES)]
    calibration = [rng.standard_normal(shape).astype(np.float32) for _ in range(CALIBRATION)]
    np.save(folder / "samples.npy", np.concatenate(samples))
    np.save(folder / "calib.npy", np.concatenate(calibration))
    want = ort_float(path, samples)
    out = {}
    text = run(
        vta, "infer", path, "--input", folder / "samples.npy", "--calib", folder / "calib.npy", "--density", "1",
        "--compare-reference", "-o", folder / "out.npy",
    )
    out["equal"] = bool(re.search(r"^reference +equal", text, re.M))
    outputs = [folder / "out.npy"] + [folder / f"out.{k}.npy" for k in range(1, len(want[0]))]
    got = [np.load(p) for p in outputs]
    out["cosine"] = cosine([v for w in want for v in w], [got[k][i] for i in range(SAMPLES) for k in range(len(got))])
    try:
        int8 = ort_int8(path, calibration, samples, folder)
        out["cosine_ort"] = cosine([v for w in want for v in w], [v for w in int8 for v in w])
    except Exception as e:
        out["ort"] = str(e)[:200]
    run(vta, "compile", path, "--calib", folder / "calib.npy", "--density", "0.5", "-o", folder / "c.vta", "--verify")
    out["compare"] = json.loads(run(vta, "compare", path, "--calib", folder / "calib.npy", "--density", "0.5", "--json"))
    device = sum(l["macs"] for l in out["compare"]["layers"] if l["on"] == "device")
    host = macs(onnx.load(path))
    out["device_macs"] = device / max(device + host, 1)
    out["seconds"] = time.time() - start
    return out


def main():
    warnings.filterwarnings("ignore")
    vta, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    only = sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    results_path = folder / "results.json"
    results = json.loads(results_path.read_text()) if results_path.exists() else {}
    todo = [(kind, name, *of) for kind in ["torchscript", "dynamo"] for name, of in networks().items()]
    for kind, name, make, shape in todo:
        key = f"{name}.{kind}"
        if (only and name not in only) or (results.get(key, {}).get("equal") and not only):
            continue
        path = folder / f"{key}.onnx"
        try:
            if not path.exists():
                export(name, make, shape, kind, path)
            work = folder / key
            work.mkdir(exist_ok=True)
            results[key] = r = measure(vta, path, shape, work)
            said = "equal" if r["equal"] else "DIFFERS"
            print(key, said, f"{r['cosine']:.4f}", f"{r.get('cosine_ort', float('nan')):.4f}", f"{r['seconds']:.0f} s", flush=True)
        except Exception as e:
            results[key] = {"error": str(e)[:400]}
            print(key, "error:", str(e)[:300].replace("\n", " "), flush=True)
        results_path.write_text(json.dumps(results))


def table(folder):
    """The rows of docs/operators.md."""
    results = json.loads((folder / "results.json").read_text())
    print("| network | exporter | MACs on the device | host steps | cosine | onnxruntime's int8 | cycles dense | at density 0.5 |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for key, r in sorted(results.items()):
        name, kind = key.rsplit(".", 1)
        if "error" in r:
            print(f"| {name} | {kind} | {r['error'][:80]} |  |  |  |  |  |")
            continue
        c = r["compare"]
        # Outputs that are all zeros have no direction.
        ours, ort = (f"{r[k]:.4f}" if r.get(k) else "-" for k in ("cosine", "cosine_ort"))
        row = [name, kind, f"{r['device_macs']:.1%}".replace("%", " %"), len(c["host"]), ours, ort, f"{c['dense']['cycles']:,}", f"{c['sparse']['cycles']:,}"]
        print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    if sys.argv[1] == "--table":
        table(pathlib.Path(sys.argv[2]))
    else:
        main()
