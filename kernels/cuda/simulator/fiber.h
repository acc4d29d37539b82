#ifndef WINNOW_KERNELS_CUDA_SIMULATOR_FIBER_H_
#define WINNOW_KERNELS_CUDA_SIMULATOR_FIBER_H_

#include <cstddef>

namespace winnow::kernels::simulator {

// A stack that runs a function and can be left in its middle. Belongs to the OS thread that made
// it.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next Enter() begins entry(argument), which must not return but end in Leave(true). What the
  // fiber was doing before is forgotten.
  void Start(void (*entry)(void*), void* argument);

  // Runs the fiber until it leaves. Called from outside of any fiber.
  void Enter();

  // Goes back to the caller of Enter(). Called from within; `for_ever` if it will not be entered
  // again before Start().
  void Leave(bool for_ever);

 private:
  static void Run(Fiber* fiber);
  void FinishSwitch(void* fake_stack, const void** from, size_t* bytes);

  std::byte* memory_;       // a guard page, then the stack
  void* own_ = nullptr;     // where to go on, inside
  void* caller_ = nullptr;  // where to go on, outside
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  const void* caller_stack_ = nullptr;  // for AddressSanitizer
  size_t caller_stack_bytes_ = 0;
  void* own_fake_stack_ = nullptr;
  void* own_thread_ = nullptr;  // for ThreadSanitizer
  void* caller_thread_ = nullptr;

  friend void FiberEntry(Fiber* fiber);
};

}  // namespace winnow::kernels::simulator

#endif  // WINNOW_KERNELS_CUDA_SIMULATOR_FIBER_H_
