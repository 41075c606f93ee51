// What CUDA adds to C++, for a machine without a GPU: g++ includes this before a .cu file and builds it as a library.
//
// A kernel becomes an ordinary function that reads its place in the grid from globals; IN_EVERY_THREAD calls it once for
// every thread, one after the other, first to last or last to first. Kernels that need threads to run at the same time
// (shared memory, __syncthreads, shuffles) are not covered: none of those words is defined here.
#pragma once

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict

struct Index3 {
    unsigned int x, y, z;
};

static Index3 gridDim = {1, 1, 1}, blockDim = {1, 1, 1}, blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0};

template <typename T>
static T atomicAdd(T* address, T value) {
    const T old = *address;
    *address = old + value;
    return old;
}

#define IN_EVERY_THREAD(blocks, threads, backwards, call)                         \
    do {                                                                          \
        gridDim.x = (blocks);                                                     \
        blockDim.x = (threads);                                                   \
        const unsigned int total = (blocks) * (threads);                          \
        for (unsigned int k = 0; k < total; ++k) {                                \
            const unsigned int place = (backwards) ? total - 1 - k : k;           \
            blockIdx.x = place / (threads);                                       \
            threadIdx.x = place % (threads);                                      \
            call;                                                                 \
        }                                                                         \
    } while (0)
