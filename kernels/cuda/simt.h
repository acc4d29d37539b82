#ifndef WINNOW_KERNELS_CUDA_SIMT_H_
#define WINNOW_KERNELS_CUDA_SIMT_H_

// What the kernels need of a GPU, in one vocabulary with two meanings: instructions under nvcc, and
// a simulator on any host compiler, so that the kernels themselves are tested where no GPU is. The
// kernels are written against this list alone.
//
// Places      ThreadInBlock ThreadsInBlock Lane Warp Warps BlockX BlockY BlocksX
// Memory      SharedMemory (the block's dynamic shared memory, 128-byte aligned)
//             CopyAsync16 CopyAsync4 (global to shared), CopyAsyncCommit, CopyAsyncWait<groups
//             left>, LoadGlobal16OrZero, CopyAsync16OrZero (of what is there, which is to be
//             some address otherwise too), PrefetchToL2 (a line of global memory), LoadRelaxed,
//             AtomicAdd, AtomicMax (global), AtomicAddShared, AtomicMaxShared,
//             AtomicExchangeShared
// Collectives SyncBlock; by whole warps only: SyncWarp, Shuffle, ShuffleXor, Ballot, ReduceMax,
//             MatchAny (the lanes that have the same value), MmaBf16, LoadMatrix4, LoadMatrix2,
//             LoadMatrix4Transposed, LoadMatrix2Transposed
// Groups      of four warps, where kHasGroups: PublishShared (by each thread before the barrier
//             after which products read what it wrote), GroupBegin, MmaGroup, GroupCommit,
//             GroupWait<batches left>. A product is asynchronous: from MmaGroup until the wait for
//             its batch its registers and matrix are not to be touched, nor any register of it to
//             be written between GroupBegin and MmaGroup. GroupHold, after writing sums and before
//             reading them, keeps the compiler to that order.
//             SyncFirst<n> waits for the block's first n threads, SyncGroup for those of the group.
//             TakeRegisters, GiveRegisters: how many a thread of the group has from there on.
//             MmaGroupF16 is the same of f16; E4m3PairToF16x2 decodes two codes, E4m3QuadToF16x2
//             four.
//             CopyBulk, and its CopyBarrierInit, CopyBarrierArrive, CopyBarrierWait: a copy whose
//             end a barrier in shared memory (8 bytes) counts by bytes. A phase of it ends once so
//             many threads have arrived and all bytes that they announced are there; waiting is for
//             the phase of a parity, the first being 0. CopyBarrierWaitFor is false where it has
//             not ended, after a pause. What threads wrote in its place before was published.
// Launches    LetNextLaunch (the stream's next kernel may begin, as far as there is room for its
//             blocks, once all of this one's have said so or ended), AwaitLastLaunch (waits until
//             the kernel before has ended and its writes are seen; before anything that depends on
//             it)
// Arithmetic  Fma, Mul, Add (never contracted), Max (ignores NaN), Exp2, Log, Divide, AsBits,
//             AsFloat, Permute (prmt), PopCount, LeadingZeros, MultiplyBf16x2, PackBf16x2,
//             MultiplyF16x2, PackF16x2
//
// Fragments, as PTX defines them for m16n8k16 (g = Lane() / 4, c = Lane() % 4; a word holds two
// consecutive values along k, the first in its low half):
//   a[0..3]  A [16, 16]: (row g, k 2c), (g + 8, 2c), (g, 2c + 8), (g + 8, 2c + 8)
//   b0, b1   B [16, 8]:  (k 2c, column g), (2c + 8, g)
//   d[0..3]  D [16, 8]:  (row g, column 2c), (g, 2c + 1), (g + 8, 2c), (g + 8, 2c + 1)
//
// MmaGroup multiplies A [64, 16], each warp's fragment a its own 16 rows, by B [16, 8 tiles], added
// to D [64, 8 tiles] unless `add` is false; d[t] is tile t of the warp's 16 rows. B is a matrix in
// shared memory, SharedMatrix(at, half_bytes, tile_bytes): its value (k, column) is k % 8 of the 8
// at k / 8 * half_bytes + column / 8 * tile_bytes + column % 8 * 16. To move it by n bytes, add
// n / 16. A may be such a matrix too, of rows instead of columns. For MmaGroupTransposed k and
// column change places in a tile of B: the value is column % 8 of the 8 at ... + k % 8 * 16.
#if defined(__CUDACC__)
#include "kernels/cuda/simt_group_device.h"
#include "kernels/cuda/simt_matrix_device.h"
#else
#include "kernels/cuda/simulator/simt_group_host.h"
#endif

#endif  // WINNOW_KERNELS_CUDA_SIMT_H_
