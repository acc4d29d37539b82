#include "kernels/cuda/simulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WINNOW_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WINNOW_FIBER_ASAN 1
#endif
#endif
#ifdef WINNOW_FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace winnow::kernels::simulator {
namespace {

constexpr size_t kGuardBytes = size_t{64} << 10;
constexpr size_t kStackBytes = size_t{128} << 10;

}  // namespace

void FiberEntry(Fiber* fiber) { Fiber::Run(fiber); }

#ifdef __x86_64__

// Saves what a call preserves on the stack, stores the stack pointer in *save and goes on at `to`.
extern "C" void winnow_switch_stack(void** save, void* to);
extern "C" void winnow_fiber_start();
asm(R"(
.text
.globl winnow_switch_stack
.type winnow_switch_stack, @function
winnow_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size winnow_switch_stack, .-winnow_switch_stack
.globl winnow_fiber_start
.type winnow_fiber_start, @function
winnow_fiber_start:
  movq %r12, %rdi
  callq *%r13
  ud2
.size winnow_fiber_start, .-winnow_fiber_start
)");

namespace {

void SwitchStack(void** save, void* to) { winnow_switch_stack(save, to); }

// A stack that winnow_switch_stack enters at winnow_fiber_start, with r12 = fiber, r13 = entry.
void* PrepareStack(std::byte* top, Fiber* fiber) {
  auto* stack = reinterpret_cast<void**>(top) - 2;
  *--stack = reinterpret_cast<void*>(&winnow_fiber_start);
  *--stack = nullptr;                               // rbp
  *--stack = nullptr;                               // rbx
  *--stack = fiber;                                 // r12
  *--stack = reinterpret_cast<void*>(&FiberEntry);  // r13
  *--stack = nullptr;                               // r14
  *--stack = nullptr;                               // r15
  return stack;
}

}  // namespace

#else

namespace {

void SwitchStack(void** save, void* to) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(to));
}

void Enter(uint32_t high, uint32_t low) {
  FiberEntry(reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low));
}

// The first context lies at the low end of the stack itself.
void* PrepareStack(std::byte* top, Fiber* fiber) {
  std::byte* low = top - kStackBytes;
  auto* context = new (low) ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = low + sizeof(ucontext_t);
  context->uc_stack.ss_size = kStackBytes - sizeof(ucontext_t);
  context->uc_link = nullptr;
  const auto address = reinterpret_cast<uintptr_t>(fiber);
  makecontext(context, reinterpret_cast<void (*)()>(&Enter), 2,
              static_cast<uint32_t>(address >> 32), static_cast<uint32_t>(address));
  return context;
}

}  // namespace

#endif

Fiber::Fiber() {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(memory);
  mprotect(memory_, kGuardBytes, PROT_NONE);
}

Fiber::~Fiber() {
  munmap(memory_, kGuardBytes + kStackBytes);
#ifdef __SANITIZE_THREAD__
  if (own_thread_ != nullptr) __tsan_destroy_fiber(own_thread_);
#endif
}

void Fiber::Start(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  own_fake_stack_ = nullptr;
#ifdef __SANITIZE_THREAD__
  // Made once, as it is slow; each run leaves three frames of some ten thousand.
  if (own_thread_ == nullptr) own_thread_ = __tsan_create_fiber(0);
#endif
  own_ = PrepareStack(memory_ + kGuardBytes + kStackBytes, this);
}

void Fiber::FinishSwitch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** from,
                         [[maybe_unused]] size_t* bytes) {
#ifdef WINNOW_FIBER_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, from, bytes);
#endif
}

void Fiber::Enter() {
  void* fake_stack = nullptr;
#ifdef WINNOW_FIBER_ASAN
  __sanitizer_start_switch_fiber(&fake_stack, memory_ + kGuardBytes, kStackBytes);
#endif
#ifdef __SANITIZE_THREAD__
  caller_thread_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(own_thread_, 0);
#endif
  SwitchStack(&caller_, own_);
  FinishSwitch(fake_stack, nullptr, nullptr);
}

void Fiber::Leave([[maybe_unused]] bool for_ever) {
#ifdef WINNOW_FIBER_ASAN
  __sanitizer_start_switch_fiber(for_ever ? nullptr : &own_fake_stack_, caller_stack_,
                                 caller_stack_bytes_);
#endif
#ifdef __SANITIZE_THREAD__
  __tsan_switch_to_fiber(caller_thread_, 0);
#endif
  SwitchStack(&own_, caller_);
  FinishSwitch(own_fake_stack_, &caller_stack_, &caller_stack_bytes_);
}

void Fiber::Run(Fiber* fiber) {
  fiber->FinishSwitch(nullptr, &fiber->caller_stack_, &fiber->caller_stack_bytes_);
  fiber->entry_(fiber->argument_);
  std::abort();
}

}  // namespace winnow::kernels::simulator
