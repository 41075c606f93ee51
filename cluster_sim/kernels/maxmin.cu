// Weighted max-min rates, one round of parallel progressive filling: same contract as cluster_sim.kernels.maxmin.
// Letters: F flows, R rows, H hops (flow x row). One thread per row or flow; sums run over hops in a fixed order and
// nothing is added atomically but an integer count, so two runs agree to the last bit.

#define GRID_STRIDE(i, n) \
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)

static __device__ double infinity() { return 1.0 / 0.0; }

// row_share: what a row could give each of its open flows per unit of weight; inf where it has none.
extern "C" __global__ void row_share(double* share_R, const double* left_R, const signed char* is_open_F,
                                     const int* hop_flow_H, const double* hop_weight_H, const long long* by_row_H,
                                     const long long* row_starts_R1, int num_rows) {
    GRID_STRIDE(row, num_rows) {
        double weight = 0.0;
        for (long long k = row_starts_R1[row]; k < row_starts_R1[row + 1]; ++k) {
            const long long hop = by_row_H[k];
            if (is_open_F[hop_flow_H[hop]]) weight += hop_weight_H[hop];
        }
        share_R[row] = weight > 0.0 ? left_R[row] / weight : infinity();
    }
}

// flow_share: the least share on a flow's rows.
extern "C" __global__ void flow_share(double* flow_share_F, const double* share_R, const signed char* is_open_F,
                                      const int* hop_row_H, const long long* hop_starts_F1, int num_flows) {
    GRID_STRIDE(flow, num_flows) {
        double least = infinity();
        if (is_open_F[flow])
            for (long long hop = hop_starts_F1[flow]; hop < hop_starts_F1[flow + 1]; ++hop)
                if (share_R[hop_row_H[hop]] < least) least = share_R[hop_row_H[hop]];
        flow_share_F[flow] = least;
    }
}

// row_is_bottleneck: 1 where no open flow of the row is held back more elsewhere.
extern "C" __global__ void row_is_bottleneck(signed char* is_full_R, const double* share_R, const double* flow_share_F,
                                             const signed char* is_open_F, double tie_ratio, const int* hop_flow_H,
                                             const double* hop_weight_H, const long long* by_row_H,
                                             const long long* row_starts_R1, int num_rows) {
    GRID_STRIDE(row, num_rows) {
        double least = infinity();
        for (long long k = row_starts_R1[row]; k < row_starts_R1[row + 1]; ++k) {
            const int flow = hop_flow_H[by_row_H[k]];
            if (is_open_F[flow] && flow_share_F[flow] < least) least = flow_share_F[flow];
        }
        is_full_R[row] = share_R[row] < infinity() && least >= share_R[row] * (1.0 - tie_ratio);
    }
}

// freeze_flows: flows on a bottleneck get their share; the first such row is named. Counts the flows still open.
extern "C" __global__ void freeze_flows(double* rate_F, int* bottleneck_F, signed char* is_open_F, int* num_open,
                                        const double* flow_share_F, const signed char* is_full_R, const int* hop_row_H,
                                        const long long* hop_starts_F1, int num_flows) {
    GRID_STRIDE(flow, num_flows) {
        if (!is_open_F[flow]) continue;
        for (long long hop = hop_starts_F1[flow]; hop < hop_starts_F1[flow + 1] && is_open_F[flow]; ++hop)
            if (is_full_R[hop_row_H[hop]]) {
                rate_F[flow] = flow_share_F[flow];
                bottleneck_F[flow] = hop_row_H[hop];
                is_open_F[flow] = 0;
            }
        if (is_open_F[flow]) atomicAdd(num_open, 1);
    }
}

// row_left: capacity that frozen flows leave, never below zero.
extern "C" __global__ void row_left(double* left_R, const double* capacity_R, const double* rate_F,
                                    const signed char* is_open_F, const int* hop_flow_H, const double* hop_weight_H,
                                    const long long* by_row_H, const long long* row_starts_R1, int num_rows) {
    GRID_STRIDE(row, num_rows) {
        double load = 0.0;
        for (long long k = row_starts_R1[row]; k < row_starts_R1[row + 1]; ++k) {
            const long long hop = by_row_H[k];
            if (!is_open_F[hop_flow_H[hop]]) load += rate_F[hop_flow_H[hop]] * hop_weight_H[hop];
        }
        left_R[row] = capacity_R[row] > load ? capacity_R[row] - load : 0.0;
    }
}
