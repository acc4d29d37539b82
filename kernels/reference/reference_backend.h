#ifndef WINNOW_KERNELS_REFERENCE_REFERENCE_BACKEND_H_
#define WINNOW_KERNELS_REFERENCE_REFERENCE_BACKEND_H_

#include "kernels/backend.h"

namespace winnow::kernels {

// The oracle: one thread, one entry after another, sums in double, a full sort.
const Backend* ReferenceBackend();

}  // namespace winnow::kernels

#endif  // WINNOW_KERNELS_REFERENCE_REFERENCE_BACKEND_H_
