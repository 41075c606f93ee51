// What CUDA adds to C++, for a machine without a GPU: g++ includes this before a .cu file and builds it as a library.
//
// A kernel becomes an ordinary function that reads its place in the grid from globals. ON_GRID runs it in every thread of
// a grid. The blocks run at the same time, each in a thread of the CPU; the threads of a block are coroutines of it, which
// take turns: each runs to its next __syncthreads, first to last or last to first, and when all are there the next round
// begins. So a barrier of the grid is spun on as on the GPU, what is __shared__ belongs to a block, and a __syncthreads
// that is missing shows as a difference between the two orders. Threads of a block that wait at different lines, or some
// of which have ended, are a mistake and end the program, as does a grid that waits for itself for a minute.
// Not covered: shuffles, votes of a warp, and the weak order of a GPU's memory.
#pragma once

#include <sched.h>
#include <time.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __shared__ static thread_local

struct Index3 {
    unsigned int x, y, z;
};

static thread_local Index3 gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0};

static inline void give_up(const char* why) {
    std::fprintf(stderr, "emulated grid: %s\n", why);
    std::abort();
}

// The threads of the block that this thread of the CPU runs.
struct Block {
    static constexpr std::size_t stack_bytes = 64 * 1024;
    static constexpr int ended = -1;

    const std::function<void()>* kernel;
    ucontext_t home;
    std::vector<ucontext_t> places;
    std::vector<int> lines;  // where each thread waits
    int claims = 0, decision = 0;

    void run(unsigned int threads, bool backwards) {
        std::unique_ptr<char[]> stacks(new char[threads * stack_bytes]);
        places.resize(threads);
        lines.assign(threads, 0);
        for (unsigned int k = 0; k < threads; ++k) {
            getcontext(&places[k]);
            places[k].uc_stack.ss_sp = stacks.get() + k * stack_bytes;
            places[k].uc_stack.ss_size = stack_bytes;
            places[k].uc_link = &home;
            makecontext(&places[k], &Block::in_thread, 0);
        }
        do {
            for (unsigned int k = 0; k < threads; ++k) {
                threadIdx.x = backwards ? threads - 1 - k : k;
                swapcontext(&home, &places[threadIdx.x]);
            }
            for (int line : lines)
                if (line != lines[0]) give_up("threads of a block wait at different places");
            decision = claims;
            claims = 0;
        } while (lines[0] != ended);
    }

    int wait(int line, int claim) {
        claims |= claim != 0;
        lines[threadIdx.x] = line;
        swapcontext(&places[threadIdx.x], &home);
        return decision;
    }

    static void in_thread();
};

static thread_local Block* block = nullptr;

inline void Block::in_thread() {
    (*block->kernel)();
    block->lines[threadIdx.x] = ended;
}

#define __syncthreads() ((void)block->wait(__LINE__, 0))
#define __syncthreads_or(claim) block->wait(__LINE__, (claim))

static inline void run_on_grid(unsigned int blocks, unsigned int threads, bool backwards,
                               const std::function<void()>& kernel) {
    std::vector<std::thread> running;
    for (unsigned int k = 0; k < blocks; ++k)
        running.emplace_back([=, &kernel] {
            Block mine;
            mine.kernel = &kernel;
            block = &mine;
            gridDim.x = blocks;
            blockDim.x = threads;
            blockIdx.x = k;
            mine.run(threads, backwards);
        });
    for (std::thread& thread : running) thread.join();
}

#define ON_GRID(blocks, threads, backwards, call) run_on_grid(blocks, threads, backwards, [&] { call; })

// Memory and numbers

template <typename T>
static T atomicAdd(T* address, T value) {
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

template <typename T>
static T atomicMin(T* address, T value) {
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (value < old && !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
}

template <typename T>
static T atomicMax(T* address, T value) {
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (value > old && !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
}

static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// A barrier of the grid spins on this; another block may need the processor.
static inline void __nanosleep(unsigned int) {
    static thread_local time_t start_s = time(nullptr);  // of the block: every block has a thread of its own
    sched_yield();
    if (time(nullptr) - start_s > 60) give_up("a grid has not ended after a minute");
}

static inline long long __double_as_longlong(double value) {
    long long bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double __longlong_as_double(long long bits) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
