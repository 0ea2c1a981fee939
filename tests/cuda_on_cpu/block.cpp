// Runs a kernel thread by thread, block by block.
//
// At a barrier a thread waits for all others of its block that have not ended. Each thread that waits needs a stack of
// its own, a fiber. A fiber runs one thread after another until one of them waits; only then the next fiber starts.
// A kernel without barriers is thus a plain loop.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <vector>

#include "driver.h"
#include "kernel.h"

uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

struct Fiber {
    ucontext_t start;
    jmp_buf here;
    bool fresh = true;
    uint3 thread = {};
};

const size_t STACK = 64 << 10;
std::vector<Fiber *> idle;
std::vector<Fiber *> waiting;
Fiber *current = nullptr;
jmp_buf scheduler;

void (*kernel)(void **);
void **arguments;
unsigned int next, count;
bool backwards;

uint3 index(size_t i, uint3 size) {
    return {unsigned(i % size.x), unsigned(i / size.x % size.y), unsigned(i / size.x / size.y)};
}

// _setjmp and _longjmp leave the signal mask alone. swapcontext asks the kernel for it, each time.
void back_to_scheduler() {
    if (_setjmp(current->here) == 0) _longjmp(scheduler, 1);
}

void work() {
    while (true) {
        while (next < count) {
            unsigned int i = next++;
            current->thread = threadIdx = index(backwards ? count - 1 - i : i, blockDim);
            kernel(arguments);
        }
        idle.push_back(current);
        back_to_scheduler();
    }
}

Fiber *make_fiber() {
    void *stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) abort();
    Fiber *fiber = new Fiber;
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = stack;
    fiber->start.uc_stack.ss_size = STACK;
    makecontext(&fiber->start, work, 0);
    return fiber;
}

// Returns when the fiber waits or has nothing left to do.
void resume(Fiber *fiber) {
    current = fiber;
    threadIdx = fiber->thread;
    if (_setjmp(scheduler) != 0) return;
    if (!fiber->fresh) _longjmp(fiber->here, 1);
    fiber->fresh = false;
    setcontext(&fiber->start);
}

void run_block() {
    for (next = 0; next < count;) {
        if (idle.empty()) idle.push_back(make_fiber());
        Fiber *fiber = idle.back();
        idle.pop_back();
        resume(fiber);
    }
    while (!waiting.empty()) {
        std::vector<Fiber *> round;
        round.swap(waiting);
        for (Fiber *fiber : round) resume(fiber);
    }
}

} // namespace

void cuda_on_cpu_barrier() {
    waiting.push_back(current);
    back_to_scheduler();
}

void run(void (*call)(void **), void **parameters, const unsigned int grid[3], const unsigned int block[3]) {
    kernel = call;
    arguments = parameters;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    count = block[0] * block[1] * block[2];
    // CUDA_ON_CPU_ORDER=backwards: the last first. What depends on the order of threads is wrong on a card too.
    const char *order = getenv("CUDA_ON_CPU_ORDER");
    backwards = order != nullptr && strcmp(order, "backwards") == 0;
    size_t all = size_t(grid[0]) * grid[1] * grid[2];
    for (size_t i = 0; i < all; i++) {
        blockIdx = index(backwards ? all - 1 - i : i, gridDim);
        run_block();
    }
}
