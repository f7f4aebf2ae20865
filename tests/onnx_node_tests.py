"""ONNX's own tests of operators, held against the float network. Run by hand:

    pip install onnx numpy
    cargo build --release -p vta-net --example float
    python tests/onnx_node_tests.py target/release/examples/float

Each test is tried as it is, then with all inputs but the first as constants of
the file, then with all but the first two.  Prints each operator's count, and
with -v what does not agree.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

PROGRAM = sys.argv[1]
VERBOSE = "-v" in sys.argv
ONLY = [a for a in sys.argv[2:] if a != "-v"]
TABLE = pathlib.Path(__file__).parent.parent / "crates/vta-net/src/graph/onnx/ops/table.rs"
OPERATORS = set(re.findall(r'^    "(\w+)" \d+ \w+ ', TABLE.read_text(), re.M))


def attempt(model, inputs, keep, expected):
    model = onnx.ModelProto.FromString(model.SerializeToString())
    kept, graph = [], model.graph
    for i, (info, value) in enumerate(zip(list(graph.input), inputs)):
        if i < keep:
            kept.append(value)
        else:
            graph.initializer.append(numpy_helper.from_array(value, info.name))
            graph.input.remove(info)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/m.onnx"
        onnx.save(model, path)
        files = []
        for i, value in enumerate(kept):
            files.append(f"{folder}/i{i}.npy")
            np.save(files[-1], value.astype(np.float32))
        run = subprocess.run([PROGRAM, path, f"{folder}/o", *files], capture_output=True, text=True)
        if run.returncode != 0:
            return "refused: " + run.stderr.strip()[:200]
        for k, want in enumerate(expected):
            got = np.load(f"{folder}/o.{k}.npy")
            want = want.astype(np.float32)
            if got.shape != want.shape:
                return f"wrong: output {k} is {got.shape}, not {want.shape}"
            if not np.allclose(got, want, rtol=1e-3, atol=1e-5, equal_nan=True):
                return f"wrong: output {k} differs by {np.nanmax(np.abs(got - want))}"
    return "equal"


def one(case):
    ops = {n.op_type for n in case.model.graph.node}
    name = case.name.removeprefix("test_")
    if len(case.model.graph.node) != 1 or not ops <= OPERATORS or (ONLY and not any(o in name for o in ONLY)):
        return None
    op = case.model.graph.node[0].op_type
    inputs, expected = case.data_sets[0]
    known = all(isinstance(v, np.ndarray) and v.dtype.kind in "fiub" for v in [*inputs, *expected])
    if not known:
        return name, op, "other types"
    results = []
    for keep in [len(inputs), 1, 2]:
        if keep <= len(inputs):
            results.append(attempt(case.model, inputs, keep, expected))
            if results[-1] == "equal":
                return name, op, "equal"
    wrong = [r for r in results if r.startswith("wrong")]
    return name, op, (wrong or results[1:2] or results)[0]


def main():
    cases = collect_testcases(None)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = [r for r in pool.map(one, cases) if r]
    counts = collections.defaultdict(collections.Counter)
    for name, op, result in done:
        counts[op][result.split(":")[0]] += 1
        if VERBOSE and result != "equal":
            print(f"{name} ({op}): {result}")
    for op in sorted(counts):
        print(op, dict(counts[op]))
    total = sum((c for c in counts.values()), collections.Counter())
    print("all:", dict(total), "; without a test:", ", ".join(sorted(OPERATORS - set(counts))))


main()
