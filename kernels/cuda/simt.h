#ifndef WINNOW_KERNELS_CUDA_SIMT_H_
#define WINNOW_KERNELS_CUDA_SIMT_H_

// What the kernels need of a GPU, in one vocabulary with two meanings: instructions under nvcc, and
// a simulator on any host compiler, so that the kernels themselves are tested where no GPU is. The
// kernels are written against this list alone.
//
// Places      ThreadInBlock ThreadsInBlock Lane Warp Warps BlockX BlockY BlockZ BlocksX
// Memory      SharedMemory (the block's dynamic shared memory, 128-byte aligned)
//             CopyAsync16 CopyAsync4 (global to shared), CopyAsyncCommit, CopyAsyncWait<groups
//             left> LoadRelaxed, AtomicAdd, AtomicMax (global), AtomicAddShared
// Collectives SyncBlock; by whole warps only: SyncWarp, Shuffle, ShuffleXor, Ballot, ReduceMax,
//             MmaBf16, LoadMatrix4, LoadMatrix2, LoadMatrix2Transposed
// Arithmetic  Fma, Mul, Add (never contracted), Max (ignores NaN), Exp2, Log, Divide, AsBits,
//             AsFloat, Permute (prmt), PopCount, MultiplyBf16x2, PackBf16x2
//
// Fragments, as PTX defines them for m16n8k16 (g = Lane() / 4, c = Lane() % 4; a word holds two
// consecutive values along k, the first in its low half):
//   a[0..3]  A [16, 16]: (row g, k 2c), (g + 8, 2c), (g, 2c + 8), (g + 8, 2c + 8)
//   b0, b1   B [16, 8]:  (k 2c, column g), (2c + 8, g)
//   d[0..3]  D [16, 8]:  (row g, column 2c), (g, 2c + 1), (g + 8, 2c), (g + 8, 2c + 1)
#if defined(__CUDACC__)
#include "kernels/cuda/simt_device.h"
#else
#include "kernels/cuda/simulator/simt_host.h"
#endif

#endif  // WINNOW_KERNELS_CUDA_SIMT_H_
