"""What PyTorch needs for the same score + top-k and attention, on bf16 copies of the inputs."""

import torch

KEYS, HEADS, DIM, TOP_K = 1048576, 64, 128, 2048
ROWS, QUERY_HEADS, LATENT, ROPE = 2048, 128, 512, 64


def median_us(run, rounds=20):
    times = []
    for i in range(rounds + 3):
        begin = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        if i >= 3:
            times.append(1000 * begin.elapsed_time(end))
    return sorted(times)[rounds // 2]


def main():
    options = {"device": "cuda", "dtype": torch.bfloat16}
    keys = torch.randn(KEYS, DIM, **options)
    queries = torch.randn(HEADS, DIM, **options)
    weights = torch.randn(HEADS, **options)
    rows = torch.randn(ROWS, LATENT + ROPE, **options)
    query = torch.randn(QUERY_HEADS, LATENT + ROPE, **options)

    def select():
        return (torch.relu(keys @ queries.T) @ weights).float().topk(TOP_K)

    def attend():
        return torch.softmax((query @ rows.T).float() * 0.07, -1).bfloat16() @ rows[:, :LATENT]

    print(f"PyTorch score + top-k, 1 row      {median_us(select):10.1f} us")
    print(f"PyTorch attention, 1 query row    {median_us(attend):10.1f} us")


if __name__ == "__main__":
    main()
