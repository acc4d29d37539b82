#!/usr/bin/env python3
"""Compares one DSA query with what else could answer it, in one run and with the same threads.

usage: run.py [--bench build/bin/bench_kernels] [--entries 1048576] [--threads N]

The query is DeepSeek-V3.2's: 64 index heads x 128 dims over fp8 keys, the best 2,048. The peers take
the same keys in the type they are fastest with, which costs them memory rather than time:
  torch-bf16    relu(K Q^T) W with oneDNN, then topk
  torch-fp32    the same in fp32
  numpy-blas    the same with numpy's OpenBLAS, then argpartition
  faiss-flat    inner product with ONE head over keys of as many bytes: a 64th of the arithmetic
Prints a table, and JSON as the last line.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import time

HEADS, DIM, TOP_K = 64, 128, 2048
PASSES = 7
# Keys that a peer multiplies at once, so that its heads x keys products stay in the cache.
CHUNK = 16384


def median_ms(run):
    run()
    taken = []
    for _ in range(PASSES):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e3


def ours(bench, entries, threads):
    """Name, median ms and floor ratio of our kernel, which makes keys of its own."""
    name = f"ScoreTopK/fp8/{entries}"
    command = [bench, f"--threads={threads}", f"--benchmark_filter={name}/manual_time",
               "--benchmark_format=json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    counters = found["benchmarks"][0]
    return {"name": f"winnow ({found['context']['kernels']})",
            "ms": counters["median_us"] / 1e3, "floor_ratio": counters["floor_ratio"]}


def torch_peer(torch, dtype, entries, threads):
    torch.set_num_threads(threads)
    keys = torch.randn(entries, DIM).to(dtype)
    queries = torch.randn(DIM, HEADS).to(dtype)
    weights = torch.rand(HEADS, 1).to(dtype)

    def run():
        parts = [torch.relu(keys[i:i + CHUNK] @ queries) @ weights
                 for i in range(0, entries, CHUNK)]
        torch.topk(torch.cat(parts)[:, 0].float(), TOP_K)

    return median_ms(run)


def numpy_peer(numpy, entries):
    random = numpy.random.default_rng(1)
    keys = random.standard_normal((entries, DIM), dtype=numpy.float32)
    queries = random.standard_normal((DIM, HEADS), dtype=numpy.float32)
    weights = random.random(HEADS, dtype=numpy.float32)

    def run():
        parts = [numpy.maximum(keys[i:i + CHUNK] @ queries, 0) @ weights
                 for i in range(0, entries, CHUNK)]
        numpy.argpartition(numpy.concatenate(parts), -TOP_K)

    return median_ms(run)


def faiss_peer(faiss, numpy, entries, threads):
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP((DIM + 4) // 4)  # fp32 vectors of a key's bytes
    index.add(numpy.random.default_rng(1).standard_normal((entries, index.d), dtype=numpy.float32))
    query = numpy.ones((1, index.d), dtype=numpy.float32)
    return median_ms(lambda: index.search(query, TOP_K))


def importable(name):
    """The module, or None with a word about it: the others can be compared all the same."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"left out: {name} ({error})")
        return None


def peers(entries, threads):
    numpy, torch, faiss = (importable(name) for name in ("numpy", "torch", "faiss"))
    if torch:
        with torch.inference_mode():
            yield "torch-bf16", torch_peer(torch, torch.bfloat16, entries, threads)
            yield "torch-fp32", torch_peer(torch, torch.float32, entries, threads)
    if numpy:
        yield "numpy-blas", numpy_peer(numpy, entries)
    if faiss and numpy:
        yield "faiss-flat", faiss_peer(faiss, numpy, entries, threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/bin/bench_kernels")
    parser.add_argument("--entries", type=int, default=1 << 20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    flags = parser.parse_args()
    # Before numpy and torch are imported, which read them once.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(flags.threads)
    # Old OpenBLAS needs a kernel named on some processors; a current one knows better.
    os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ.pop("OPENBLAS_L2_SIZE", None)

    results = [ours(flags.bench, flags.entries, flags.threads)]
    results += [{"name": name, "ms": ms} for name, ms in peers(flags.entries, flags.threads)]
    for result in results:
        ratio = result["ms"] / results[0]["ms"]
        print(f"{result['name']:24} {result['ms']:9.1f} ms  {ratio:6.2f} x ours")
    print(json.dumps({"entries": flags.entries, "threads": flags.threads, "results": results}))


if __name__ == "__main__":
    main()
