// What needs numbers that look random: same contracts as in cluster_sim.kernels.scramble and cluster_sim.kernels.refine.

// [splitmix64, Steele et al. 2014]
static __device__ unsigned long long scrambled(unsigned long long value) {
    value += 0x9E3779B97F4A7C15ull;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
    return value ^ (value >> 31);
}

// ECMP: one thread per pair.
extern "C" __global__ void hashed_choice(long long* choice_E, const long long* num_paths_E, const int* src_E,
                                         const int* dst_E, unsigned long long key, int num_pairs) {
    for (int e = blockIdx.x * blockDim.x + threadIdx.x; e < num_pairs; e += gridDim.x * blockDim.x) {
        unsigned long long mixed = scrambled(scrambled((unsigned long long)src_E[e] + key) ^ (unsigned long long)dst_E[e]);
        choice_E[e] = (long long)(mixed % (unsigned long long)num_paths_E[e]);
    }
}

// One round of colour refinement, one thread per group; sums of integers wrap around, so their order cannot be seen. A
// group reads 12 bytes an item and gathers a class (4).
extern "C" __global__ void signatures(unsigned long long* signature_G, const int* class_N, const int* item_H,
                                      const unsigned long long* label_H, const long long* starts_G1, int num_groups) {
    for (int group = blockIdx.x * blockDim.x + threadIdx.x; group < num_groups; group += gridDim.x * blockDim.x) {
        unsigned long long sum = 0;
        for (long long h = starts_G1[group]; h < starts_G1[group + 1]; ++h)
            sum += scrambled((unsigned long long)class_N[item_H[h]] ^ label_H[h]);
        signature_G[group] = sum;
    }
}
