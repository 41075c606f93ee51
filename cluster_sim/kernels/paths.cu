// Candidate paths written out from their forms: same contract as PathFinder.count and PathFinder.links.
// One thread per pair. A form is first_N[form] plus its digits; digit k of digit_4D is (variable, divisor, modulus,
// times), modulus 0 for none. Forms 0 to P - 1 are the places, those of kind k start at kind_starts_K1[k].

static __device__ long long value_of(int form, long long src, long long dst, long long choice, const long long* first_N,
                                     const int* digit_starts_N1, const long long* digit_4D) {
    long long value = first_N[form];
    for (int d = digit_starts_N1[form]; d < digit_starts_N1[form + 1]; ++d) {
        const long long* digit = digit_4D + 4 * d;
        long long part = (digit[0] == 0 ? src : digit[0] == 1 ? dst : choice) / digit[1];
        if (digit[2]) part %= digit[2];
        value += digit[3] * part;
    }
    return value;
}

// How far apart each pair is: its kind, its number of paths and of hops.
extern "C" __global__ void count_paths(int* kind_E, long long* num_paths_E, int* num_hops_E, const int* src_E,
                                       const int* dst_E, const long long* first_N, const int* digit_starts_N1,
                                       const long long* digit_4D, const int* kind_starts_K1,
                                       const long long* kind_paths_K, int num_places, int num_pairs) {
    for (int e = blockIdx.x * blockDim.x + threadIdx.x; e < num_pairs; e += gridDim.x * blockDim.x) {
        int kind = 0;
        while (kind < num_places && value_of(kind, src_E[e], 0, 0, first_N, digit_starts_N1, digit_4D) !=
                                        value_of(kind, dst_E[e], 0, 0, first_N, digit_starts_N1, digit_4D))
            ++kind;
        kind_E[e] = kind;
        num_paths_E[e] = kind_paths_K[kind];
        num_hops_E[e] = kind_starts_K1[kind + 1] - kind_starts_K1[kind];
    }
}

// The links of candidate choice_E[e] of each pair.
extern "C" __global__ void write_paths(int* pair_H, int* link_H, const long long* hop_starts_E1, const int* kind_E,
                                       const int* src_E, const int* dst_E, const long long* choice_E,
                                       const long long* first_N, const int* digit_starts_N1, const long long* digit_4D,
                                       const int* kind_starts_K1, int num_pairs) {
    for (int e = blockIdx.x * blockDim.x + threadIdx.x; e < num_pairs; e += gridDim.x * blockDim.x) {
        long long h = hop_starts_E1[e];
        for (int form = kind_starts_K1[kind_E[e]]; form < kind_starts_K1[kind_E[e] + 1]; ++form, ++h) {
            pair_H[h] = e;
            link_H[h] = (int)value_of(form, src_E[e], dst_E[e], choice_E[e], first_N, digit_starts_N1, digit_4D);
        }
    }
}
