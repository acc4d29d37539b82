#ifndef WINNOW_KERNELS_CUDA_SIMT_PRODUCT_DEVICE_H_
#define WINNOW_KERNELS_CUDA_SIMT_PRODUCT_DEVICE_H_

#include <cstdint>

#include "kernels/cuda/simt_device.h"

// The products of kernels/cuda/simt.h that groups of four warps make, in instructions of sm_90a
// (wgmma).
namespace winnow::kernels::simt {

#define WINNOW_FOUR(t) "+f"(d[t][0]), "+f"(d[t][1]), "+f"(d[t][2]), "+f"(d[t][3])

WINNOW_DEVICE void MmaGroup(float (&d)[4][4], uint64_t a, uint64_t b, bool add) {
  asm volatile(
      "{\n"
      ".reg .pred add;\n"
      "setp.ne.b32 add, %18, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "
      "%16, %17, add, 1, 1, 0, 0;\n"
      "}\n"
      : WINNOW_FOUR(0), WINNOW_FOUR(1), WINNOW_FOUR(2), WINNOW_FOUR(3)
      : "l"(a), "l"(b), "r"(add ? 1 : 0));
}

// Of two matrices in shared memory by 64 columns.
#define WINNOW_PRODUCT_OF_MATRICES(Name, type)                                                   \
  WINNOW_DEVICE void Name(float(&d)[8][4], uint64_t a, uint64_t b, bool add) {                   \
    asm volatile(                                                                                \
        "{\n"                                                                                    \
        ".reg .pred add;\n"                                                                      \
        "setp.ne.b32 add, %34, 0;\n"                                                             \
        "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                              \
        " "                                                                                      \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, " \
        "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "                     \
        "%32, %33, add, 1, 1, 0, 0;\n"                                                           \
        "}\n"                                                                                    \
        : WINNOW_FOUR(0), WINNOW_FOUR(1), WINNOW_FOUR(2), WINNOW_FOUR(3), WINNOW_FOUR(4),        \
          WINNOW_FOUR(5), WINNOW_FOUR(6), WINNOW_FOUR(7)                                         \
        : "l"(a), "l"(b), "r"(add ? 1 : 0));                                                     \
  }

// Of A in registers by 128 columns of a transposed B.
#define WINNOW_PRODUCT_OF_128(Name, type)                                                        \
  WINNOW_DEVICE void Name(float(&d)[16][4], const uint32_t(&a)[4], uint64_t b, bool add) {       \
    asm volatile(                                                                                \
        "{\n"                                                                                    \
        ".reg .pred add;\n"                                                                      \
        "setp.ne.b32 add, %69, 0;\n"                                                             \
        "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type                             \
        " "                                                                                      \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, " \
        "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "  \
        "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, "  \
        "%53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "                               \
        "{%64, %65, %66, %67}, %68, add, 1, 1, 1;\n"                                             \
        "}\n"                                                                                    \
        : WINNOW_FOUR(0), WINNOW_FOUR(1), WINNOW_FOUR(2), WINNOW_FOUR(3), WINNOW_FOUR(4),        \
          WINNOW_FOUR(5), WINNOW_FOUR(6), WINNOW_FOUR(7), WINNOW_FOUR(8), WINNOW_FOUR(9),        \
          WINNOW_FOUR(10), WINNOW_FOUR(11), WINNOW_FOUR(12), WINNOW_FOUR(13), WINNOW_FOUR(14),   \
          WINNOW_FOUR(15)                                                                        \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add ? 1 : 0));                 \
  }

// Of A in registers by 32 or 64 columns: of which type, and whether B is transposed ("1") or not.
#define WINNOW_PRODUCT_OF_32(Name, type, transposed)                                      \
  WINNOW_DEVICE void Name(float(&d)[4][4], const uint32_t(&a)[4], uint64_t b, bool add) { \
    asm volatile(                                                                         \
        "{\n"                                                                             \
        ".reg .pred add;\n"                                                               \
        "setp.ne.b32 add, %21, 0;\n"                                                      \
        "wgmma.mma_async.sync.aligned.m64n32k16.f32." type "." type                       \
        " "                                                                               \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "        \
        "{%16, %17, %18, %19}, %20, add, 1, 1, " transposed                               \
        ";\n"                                                                             \
        "}\n"                                                                             \
        : WINNOW_FOUR(0), WINNOW_FOUR(1), WINNOW_FOUR(2), WINNOW_FOUR(3)                  \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add ? 1 : 0));          \
  }
#define WINNOW_PRODUCT_OF_64(Name, type, transposed)                                             \
  WINNOW_DEVICE void Name(float(&d)[8][4], const uint32_t(&a)[4], uint64_t b, bool add) {        \
    asm volatile(                                                                                \
        "{\n"                                                                                    \
        ".reg .pred add;\n"                                                                      \
        "setp.ne.b32 add, %37, 0;\n"                                                             \
        "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                              \
        " "                                                                                      \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, " \
        "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "                     \
        "{%32, %33, %34, %35}, %36, add, 1, 1, " transposed                                      \
        ";\n"                                                                                    \
        "}\n"                                                                                    \
        : WINNOW_FOUR(0), WINNOW_FOUR(1), WINNOW_FOUR(2), WINNOW_FOUR(3), WINNOW_FOUR(4),        \
          WINNOW_FOUR(5), WINNOW_FOUR(6), WINNOW_FOUR(7)                                         \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add ? 1 : 0));                 \
  }

WINNOW_PRODUCT_OF_MATRICES(MmaGroup, "bf16")
WINNOW_PRODUCT_OF_MATRICES(MmaGroupF16, "f16")
WINNOW_PRODUCT_OF_32(MmaGroupF16, "f16", "0")
WINNOW_PRODUCT_OF_64(MmaGroup, "bf16", "0")
WINNOW_PRODUCT_OF_64(MmaGroupF16, "f16", "0")
WINNOW_PRODUCT_OF_64(MmaGroupF16Transposed, "f16", "1")
WINNOW_PRODUCT_OF_128(MmaGroupTransposed, "bf16")
WINNOW_PRODUCT_OF_128(MmaGroupF16Transposed, "f16")

#undef WINNOW_PRODUCT_OF_MATRICES
#undef WINNOW_PRODUCT_OF_128
#undef WINNOW_PRODUCT_OF_64
#undef WINNOW_PRODUCT_OF_32
#undef WINNOW_FOUR

}  // namespace winnow::kernels::simt

#endif  // WINNOW_KERNELS_CUDA_SIMT_PRODUCT_DEVICE_H_
