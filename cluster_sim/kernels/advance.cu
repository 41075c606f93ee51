// The compiled twins of cluster_sim.kernels.maxmin and cluster_sim.kernels.advance for a GPU: one launch runs every
// round of a solve, and every event up to the horizon; only a few numbers come back. Letters as there: C classes (F flows
// where all of them send), P patterns, R rows, H hops. Both stand in one file because NVRTC finds no headers and both
// fill rows.
//
// *Who writes what.* Thread t of T owns the classes and rows t, t + T, t + 2T... It alone keeps their lists (of classes
// in flight, of open classes, of rows with open classes; entry k of thread t at t + kT), so to shorten a list takes
// neither atomics nor a barrier. A row with more members than one thread should add up belongs to a block instead.
//
// *The same bits every time.* The members of a row are added up in the order of the table, or by a tree whose shape
// depends on the size of a block only; so neither the number of blocks nor the order of any list can be seen in a sum.
// Atomics count, or find a least or greatest value, which no order changes. Several threads may write the same value to
// one place (`blocked_at`, `touched_at`, `is_changed`, `last_s`).
//
// *What a round of filling moves*, for n open classes of h hops: it reads their hops (4h bytes a class) twice and gathers
// `share` (8h) and `blocked_at` (4h), and writes `blocked_at` where a class is held back elsewhere. Then only rows that
// somebody froze on are added up anew: 12 bytes a member and a gather of its rate (8). With random routes three quarters
// of the classes freeze in each round, so all rounds after the first cost a third of it; each has three barriers.

#define MOST_THREADS 512
#define OWN(i, n) for (int i = grid.thread; i < (n); i += grid.num_threads)

enum { NONE = -1, IDLE = 0, WAITING = 1, SENDING = 2 };
enum { ARRIVED, GENERATION, TURN, NUM_FINISHED };                                             // of counters_4
enum { NOW_S, NEXT_S, LARGEST_SHIFT_S, NUM_EVENTS, NUM_SOLVES, IS_DIRTY, FINISHED, INSTANT };  // of at_8
enum { FINISH, CHANGE, NOTHING };                                                             // what an instant brings

static __device__ double infinity() { return __longlong_as_double(0x7ff0000000000000ll); }
static __device__ double not_a_number() { return __longlong_as_double(0x7ff8000000000000ll); }
static __device__ double lesser(double a, double b) { return b < a ? b : a; }
static __device__ double greater(double a, double b) { return b > a ? b : a; }

// tick_s: as cluster_sim.kernels.state.tick_s.
static __device__ double tick_s(double now_s) {
    const double time_s = greater(1e-9, now_s);
    return 4.0 * (__longlong_as_double(__double_as_longlong(time_s) + 1) - time_s);
}

// The grid, and how its threads meet. All blocks must be on the device at the same time.

struct Grid {
    unsigned int* counters;        // ARRIVED...; kept between launches
    unsigned long long* extremes;  // three slots for least values, used in turn, and the largest shift
    unsigned int turn;             // the slot whose turn it is
    int thread, num_threads;
};

static __device__ Grid grid_of(unsigned int* counters, unsigned long long* extremes) {
    Grid grid;
    grid.counters = counters;
    grid.extremes = extremes;
    grid.turn = counters[TURN];
    grid.thread = blockIdx.x * blockDim.x + threadIdx.x;
    grid.num_threads = gridDim.x * blockDim.x;
    return grid;
}

// wait_for_all: nobody goes on before everybody has come here; what was written before can be read after.
static __device__ void wait_for_all(const Grid& grid) {
    __syncthreads();
    if (gridDim.x == 1) return;
    if (threadIdx.x == 0) {
        volatile unsigned int* const generation = grid.counters + GENERATION;
        const unsigned int before = *generation;  // it cannot change before this block has arrived
        __threadfence();
        if (atomicAdd(grid.counters + ARRIVED, 1u) == gridDim.x - 1) {
            *(volatile unsigned int*)(grid.counters + ARRIVED) = 0;
            __threadfence();
            *generation = before + 1;
        } else {
            while (*generation == before) __nanosleep(20);
        }
        __threadfence();
    }
    __syncthreads();
}

// least_of_all: the least value that any block has; that of thread 0 counts for a block. Waits for all.
// The slot of the next turn is cleared in this one: it was last read before the turn before this one had ended.
static __device__ unsigned long long least_of_all(Grid& grid, unsigned long long of_block) {
    __shared__ unsigned long long least;
    volatile unsigned long long* const slot = grid.extremes + grid.turn;
    grid.turn = (grid.turn + 1) % 3;
    if (threadIdx.x == 0 && gridDim.x > 1) {
        if (blockIdx.x == 0) *(volatile unsigned long long*)(grid.extremes + grid.turn) = ~0ull;
        atomicMin((unsigned long long*)slot, of_block);
    }
    wait_for_all(grid);
    if (threadIdx.x == 0) least = gridDim.x > 1 ? *slot : of_block;
    __syncthreads();
    return least;
}

// any_of_all: whether any thread claims it. Waits for all.
static __device__ bool any_of_all(Grid& grid, bool claim) {
    const bool of_block = __syncthreads_or(claim);
    return gridDim.x == 1 ? of_block : least_of_all(grid, of_block ? 0 : 1) == 0;
}

// first_of_all: the earliest time >= 0 that any thread has; such numbers are in the order of their bits. Waits for all.
static __device__ double first_of_all(Grid& grid, double time_s) {
    __shared__ double first[MOST_THREADS];
    first[threadIdx.x] = time_s;
    __syncthreads();
    for (unsigned int size = blockDim.x; size > 1; size = (size + 1) / 2) {
        const unsigned int half = (size + 1) / 2;
        if (threadIdx.x + half < size) first[threadIdx.x] = lesser(first[threadIdx.x], first[threadIdx.x + half]);
        __syncthreads();
    }
    return __longlong_as_double((long long)least_of_all(grid, (unsigned long long)__double_as_longlong(first[0])));
}

// sum_of_block: what the threads of a block have together, added up by a tree; every thread gets it.
static __device__ double sum_of_block(double value) {
    __shared__ double part[MOST_THREADS];
    __syncthreads();  // somebody may still read the sum before
    part[threadIdx.x] = value;
    __syncthreads();
    for (unsigned int size = blockDim.x; size > 1; size = (size + 1) / 2) {
        const unsigned int half = (size + 1) / 2;
        if (threadIdx.x + half < size) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    return part[0];
}

// Filling: as cluster_sim.kernels.maxmin, whose rounds these are.

struct Filling {
    const int* hop_starts;         // int[C+1]
    const int* hop_row;            // int[H]
    const int* member_starts;      // int[R+1], where the members of a row stand
    const int* member_ends;        // int[R], where those end that count
    const int* member_flow;        // int[H]
    const double* member_weight;   // double[H]
    const double* capacity;        // double[R]
    const int* big_row;            // int[num_big], rows that belong to a block
    int num_big, most_members;     // more than so many members make a row big
    double tie_ratio;
    double* rate;                  // double[C], NaN while it is open, 0 for a class that does not send
    int* bottleneck;               // int[C]
    double* load;                  // double[R], right once nobody on the row is open
    double* share;                 // double[R], what the row could give its open classes
    int* blocked_at;               // int[R], the last round in which one of them was held back more elsewhere
    int* touched_at;               // int[R], the last round in which one of them froze
    int* open;                     // list of classes
    double* open_share;            // double[C], least share on the rows of each entry of that list
    int* row;                      // list of rows with open classes, without the big ones
};

static __device__ bool is_big(const Filling& net, int row) {
    return net.member_starts[row + 1] - net.member_starts[row] > net.most_members;
}

static __device__ void offer(const Filling& net, int row, double left, double weight) {
    net.share[row] = weight > 0.0 ? left / weight : infinity();
}

static __device__ void offer_all(const Filling& net, int row, double weight) {
    net.blocked_at[row] = net.touched_at[row] = 0;
    offer(net, row, net.capacity[row], weight);
}

// find_blocked: the share of every open class, and the rows that will not be full yet.
static __device__ void find_blocked(const Grid& grid, const Filling& net, int num_open, int round) {
    for (int k = 0; k < num_open; ++k) {
        const int entry = grid.thread + k * grid.num_threads, flow = net.open[entry];
        const int first = net.hop_starts[flow], last = net.hop_starts[flow + 1];
        double least = infinity();
        for (int hop = first; hop < last; ++hop) least = lesser(least, net.share[net.hop_row[hop]]);
        for (int hop = first; hop < last; ++hop) {
            const int row = net.hop_row[hop];
            if (least < net.share[row] * (1.0 - net.tie_ratio)) net.blocked_at[row] = round;
        }
        net.open_share[entry] = least;
    }
}

// freeze: classes on a row that nobody blocks get their share. Returns how many of this thread's stay open.
static __device__ int freeze(const Grid& grid, const Filling& net, int num_open, int round) {
    int num_left = 0;
    for (int k = 0; k < num_open; ++k) {
        const int entry = grid.thread + k * grid.num_threads, flow = net.open[entry];
        const int first = net.hop_starts[flow], last = net.hop_starts[flow + 1];
        int hop = first;
        while (hop < last && net.blocked_at[net.hop_row[hop]] == round) ++hop;
        if (hop == last) {
            net.open[grid.thread + num_left++ * grid.num_threads] = flow;
            continue;
        }
        net.rate[flow] = net.open_share[entry];
        net.bottleneck[flow] = net.hop_row[hop];
        for (hop = first; hop < last; ++hop) net.touched_at[net.hop_row[hop]] = round;
    }
    return num_left;
}

// add_up: every step-th member of a row from the given one on: weight of the open ones, load of the others.
static __device__ void add_up(const Filling& net, int row, int first, int step, double* open_weight, double* load) {
    for (int k = net.member_starts[row] + first; k < net.member_ends[row]; k += step) {
        const double rate = net.rate[net.member_flow[k]], weight = net.member_weight[k];
        if (rate != rate)
            *open_weight += weight;
        else
            *load += rate * weight;
    }
}

// offer_rest: what is left for those still open, if there are any.
static __device__ void offer_rest(const Filling& net, int row, double open_weight, double load) {
    net.load[row] = load;
    offer(net, row, greater(net.capacity[row] - load, 0.0), open_weight);
}

// offer_anew: rows on which somebody froze. Returns on how many of this thread's rows somebody is open.
static __device__ int offer_anew(const Grid& grid, const Filling& net, int num_rows, int round) {
    int num_left = 0;
    for (int k = 0; k < num_rows; ++k) {
        const int row = net.row[grid.thread + k * grid.num_threads];
        double open_weight = 1.0;
        if (net.touched_at[row] == round) {
            double load = 0.0;
            open_weight = 0.0;
            add_up(net, row, 0, 1, &open_weight, &load);
            offer_rest(net, row, open_weight, load);
        }
        if (open_weight > 0.0) net.row[grid.thread + num_left++ * grid.num_threads] = row;
    }
    for (int k = blockIdx.x; k < net.num_big; k += gridDim.x) {
        const int row = net.big_row[k];
        if (net.touched_at[row] != round) continue;  // all threads of the block see the same
        double open_weight = 0.0, load = 0.0;
        add_up(net, row, threadIdx.x, blockDim.x, &open_weight, &load);
        open_weight = sum_of_block(open_weight);
        load = sum_of_block(load);
        if (threadIdx.x == 0) offer_rest(net, row, open_weight, load);
    }
    return num_left;
}

// fill: every open class gets its rate, and every row on which one was open its load. There are two numbers for this
// thread: of its open classes and of its rows with any. Ends without waiting for all.
// A share that is infinite or not a number blocks nobody, so each round freezes somebody, whatever the capacities are.
static __device__ void fill(Grid& grid, const Filling& net, int num_open, int num_rows) {
    for (int round = 1;; ++round) {
        wait_for_all(grid);
        find_blocked(grid, net, num_open, round);
        wait_for_all(grid);
        num_open = freeze(grid, net, num_open, round);
        const bool is_anybody_open = any_of_all(grid, num_open > 0);
        num_rows = offer_anew(grid, net, num_rows, round);
        if (!is_anybody_open) return;
    }
}

static __device__ void leave(const Grid& grid) {
    if (grid.thread == 0) grid.counters[TURN] = grid.turn;
}

// maxmin_rates: same contract as cluster_sim.kernels.maxmin.maxmin_rates. A flow without hops is never open.
extern "C" __global__ void maxmin_rates(
    double* rate_F, int* bottleneck_F, const int* hop_starts_F1, const int* hop_row_H, const int* member_starts_R1,
    const int* member_flow_H, const double* member_weight_H, const double* capacity_R, const int* big_row, int num_big,
    int most_members, double tie_ratio, double* load_R, double* share_R, int* blocked_at_R, int* touched_at_R,
    int* open_F, double* open_share_F, int* row_R, unsigned int* counters_4, unsigned long long* extremes_4,
    int num_flows, int num_rows) {
    Grid grid = grid_of(counters_4, extremes_4);
    const Filling net = {hop_starts_F1,       hop_row_H, member_starts_R1, member_starts_R1 + 1, member_flow_H,
                         member_weight_H,     capacity_R, big_row,         num_big,              most_members,
                         tie_ratio,           rate_F,    bottleneck_F,     load_R,               share_R,
                         blocked_at_R,        touched_at_R, open_F,        open_share_F,         row_R};
    int num_open = 0, num_used = 0;
    OWN(flow, num_flows) {
        const bool has_hops = hop_starts_F1[flow] < hop_starts_F1[flow + 1];
        rate_F[flow] = has_hops ? not_a_number() : infinity();
        bottleneck_F[flow] = NONE;
        if (has_hops) open_F[grid.thread + num_open++ * grid.num_threads] = flow;
    }
    OWN(row, num_rows) {
        if (is_big(net, row) || member_starts_R1[row] == member_starts_R1[row + 1]) continue;
        double weight = 0.0;
        for (int k = member_starts_R1[row]; k < member_starts_R1[row + 1]; ++k) weight += member_weight_H[k];
        offer_all(net, row, weight);
        row_R[grid.thread + num_used++ * grid.num_threads] = row;
    }
    for (int k = blockIdx.x; k < num_big; k += gridDim.x) {
        const int row = big_row[k];
        double weight = 0.0;
        for (int m = member_starts_R1[row] + threadIdx.x; m < member_starts_R1[row + 1]; m += blockDim.x)
            weight += member_weight_H[m];
        weight = sum_of_block(weight);
        if (threadIdx.x == 0) offer_all(net, row, weight);
    }
    fill(grid, net, num_open, num_used);
    leave(grid);
}

// The passage of time: as cluster_sim.kernels.advance, whose steps have the same names.

struct Flows {
    int* phase;               // int[C]
    double* rate;             // double[C]
    double* left_bytes;       // double[C]
    double* end_s;            // double[C]
    const double* begin_s;    // double[C]
    double* stalled_s;        // double[C]
    const int* pattern;       // int[C]
    int* flying;              // list of classes
    int* left;                // int[P]
    unsigned long long* last; // [P], instant and class of the last finish: (instant << 32) | class
    double* last_s;           // double[P]
    double* finished;         // double[4P], the pattern in the first of four
    int* is_changed;          // int[R], whether a class has begun or finished on the row since the last solve
    const int* all_flow;      // int[H], all classes over each row; the members of a row that is not big are those of
    const double* all_weight; // double[H], them that send
    int* member_ends;         // as in Filling, whose members these are
    int* member_flow;
    double* member_weight;
    double* sending_weight;   // double[R], of all members that send
    double time_tolerance;
};

static __device__ void mark_changed(const Filling& net, const Flows& flows, int flow) {
    for (int hop = net.hop_starts[flow]; hop < net.hop_starts[flow + 1]; ++hop) flows.is_changed[net.hop_row[hop]] = 1;
}

static __device__ void begin(const Filling& net, const Flows& flows, int flow, double now_s) {
    const bool has_nothing = net.hop_starts[flow] == net.hop_starts[flow + 1] || flows.left_bytes[flow] <= 0.0;
    flows.phase[flow] = SENDING;
    flows.rate[flow] = 0.0;
    net.bottleneck[flow] = NONE;
    flows.end_s[flow] = has_nothing ? now_s : infinity();
    mark_changed(net, flows, flow);
}

// finish: a class is done. Was it the last of its pattern?
static __device__ bool finish(const Grid& grid, const Filling& net, const Flows& flows, int flow, double now_s,
                              long long instant) {
    const int pattern = flows.pattern[flow];
    flows.phase[flow] = IDLE;
    flows.left_bytes[flow] = 0.0;
    flows.end_s[flow] = now_s;
    net.rate[flow] = 0.0;
    mark_changed(net, flows, flow);
    atomicMax(flows.last + pattern, (unsigned long long)instant << 32 | (unsigned int)flow);
    flows.last_s[pattern] = now_s;
    if (atomicAdd(flows.left + pattern, -1) != 1) return false;
    flows.finished[4 * atomicAdd(grid.counters + NUM_FINISHED, 1u)] = pattern;
    return true;
}

// pass: send for dt_s until now_s, begin and finish what is due then. Says what that brought to this thread's classes.
static __device__ int pass(const Grid& grid, const Filling& net, const Flows& flows, int* num_flying, double now_s,
                           double dt_s, long long instant) {
    const double soon_s = now_s + tick_s(now_s);
    const int num_before = *num_flying;
    int what = NOTHING;
    *num_flying = 0;
    for (int k = 0; k < num_before; ++k) {
        const int flow = flows.flying[grid.thread + k * grid.num_threads];
        bool is_done = false;
        if (flows.phase[flow] == SENDING && dt_s > 0.0) {
            flows.left_bytes[flow] -= flows.rate[flow] * dt_s;
            if (flows.rate[flow] == 0.0) flows.stalled_s[flow] += dt_s;
        }
        if (flows.phase[flow] == WAITING && flows.begin_s[flow] <= soon_s) {
            begin(net, flows, flow, now_s);
            if (what == NOTHING) what = CHANGE;
        }
        if (flows.phase[flow] == SENDING) {
            const double end_s = flows.end_s[flow], early_s = end_s - now_s;
            const bool is_near = early_s <= flows.time_tolerance * (end_s - flows.begin_s[flow]);
            is_done = end_s <= soon_s || (is_near && early_s < infinity());
            if (is_done && end_s > soon_s)
                atomicMax(grid.extremes + 3, (unsigned long long)__double_as_longlong(early_s));
        }
        if (!is_done) {
            flows.flying[grid.thread + *num_flying * grid.num_threads] = flow;
            ++*num_flying;
        } else if (finish(grid, net, flows, flow, now_s, instant)) {
            what = FINISH;
        } else if (what == NOTHING) {
            what = CHANGE;
        }
    }
    return what;
}

// carry: what this thread's rows have carried for dt_s; columns bytes, busy_s, full_s, peak.
static __device__ void carry(const Grid& grid, const Filling& net, double* carried_4R, int num_rows, double dt_s) {
    OWN(row, num_rows) {
        const double load = net.load[row];
        if (!(load > 0.0)) continue;
        carried_4R[row] += load * dt_s;
        carried_4R[num_rows + row] += dt_s;
        if (load >= net.capacity[row] * (1.0 - 1e-9)) carried_4R[2 * num_rows + row] += dt_s;
        carried_4R[3 * num_rows + row] = greater(carried_4R[3 * num_rows + row], load);
    }
}

// gather_members: the classes over a row that send, in the order of the table, and their weight.
static __device__ void gather_members(const Filling& net, const Flows& flows, int row) {
    double weight = 0.0;
    int end = net.member_starts[row];
    for (int k = net.member_starts[row]; k < net.member_starts[row + 1]; ++k) {
        const int flow = flows.all_flow[k];
        if (flows.phase[flow] != SENDING) continue;
        flows.member_flow[end] = flow;
        flows.member_weight[end++] = flows.all_weight[k];
        weight += flows.all_weight[k];
    }
    flows.member_ends[row] = end;
    flows.sending_weight[row] = weight;
    flows.is_changed[row] = 0;
    net.load[row] = 0.0;
}

// weigh_big_rows: the weight of what sends over them, if it has changed, and what they offer.
static __device__ void weigh_big_rows(const Filling& net, const Flows& flows) {
    for (int k = blockIdx.x; k < net.num_big; k += gridDim.x) {
        const int row = net.big_row[k];
        if (flows.is_changed[row]) {  // all threads of the block see the same: it is cleared behind a barrier
            double weight = 0.0;
            for (int m = net.member_starts[row] + threadIdx.x; m < net.member_starts[row + 1]; m += blockDim.x)
                if (flows.phase[flows.all_flow[m]] == SENDING) weight += flows.all_weight[m];
            weight = sum_of_block(weight);
            if (threadIdx.x == 0) {
                flows.sending_weight[row] = weight;
                flows.is_changed[row] = 0;
                net.load[row] = 0.0;
            }
        }
        if (threadIdx.x == 0) offer_all(net, row, flows.sending_weight[row]);
    }
}

// solve: new rates for everything that sends.
static __device__ void solve(Grid& grid, const Filling& net, const Flows& flows, int num_flying, int num_rows) {
    int num_open = 0, num_used = 0;
    for (int k = 0; k < num_flying; ++k) {
        const int flow = flows.flying[grid.thread + k * grid.num_threads];
        if (flows.phase[flow] != SENDING) continue;
        net.rate[flow] = not_a_number();
        net.open[grid.thread + num_open++ * grid.num_threads] = flow;
    }
    OWN(row, num_rows) {
        if (is_big(net, row)) continue;
        if (flows.is_changed[row]) gather_members(net, flows, row);
        if (net.member_ends[row] == net.member_starts[row]) continue;
        offer_all(net, row, flows.sending_weight[row]);
        net.row[grid.thread + num_used++ * grid.num_threads] = row;
    }
    weigh_big_rows(net, flows);
    fill(grid, net, num_open, num_used);
}

// next_change_s: the next start or finish of this thread's classes, at the rates just found if there are new ones.
static __device__ double next_change_s(const Grid& grid, const Filling& net, const Flows& flows, int num_flying,
                                       double now_s, bool is_solved) {
    double first_s = infinity();
    for (int k = 0; k < num_flying; ++k) {
        const int flow = flows.flying[grid.thread + k * grid.num_threads];
        if (flows.phase[flow] == WAITING) {
            first_s = lesser(first_s, flows.begin_s[flow]);
            continue;
        }
        const double rate = is_solved ? net.rate[flow] : flows.rate[flow];
        if (rate != flows.rate[flow]) {
            flows.rate[flow] = rate;
            flows.end_s[flow] = rate > 0.0 ? now_s + greater(flows.left_bytes[flow], 0.0) / rate : infinity();
        }
        first_s = lesser(first_s, greater(flows.end_s[flow], now_s));
    }
    return first_s;
}

// tell_finished: pattern, last class, time that it had no bandwidth, and row that held it back, for each that finished.
// By one block, behind a barrier. Returns how many there are.
static __device__ unsigned int tell_finished(const Grid& grid, const Filling& net, const Flows& flows) {
    const unsigned int num_finished = grid.counters[NUM_FINISHED];
    for (unsigned int k = threadIdx.x; k < num_finished; k += blockDim.x) {
        double* const told = flows.finished + 4 * k;
        const int flow = (int)(flows.last[(int)told[0]] & 0xffffffffull);
        told[1] = flow;
        told[2] = flows.stalled_s[flow];
        told[3] = net.bottleneck[flow];
    }
    __syncthreads();
    if (threadIdx.x == 0) grid.counters[NUM_FINISHED] = 0;
    return num_finished;
}

// advance: same contract as cluster_sim.kernels.advance.advance, on columns; `at_8` is what it says at the end.
extern "C" __global__ void advance(
    double* at_8, double* finished_4P, int* phase_C, double* rate_C, double* left_bytes_C, double* end_s_C,
    const double* begin_s_C, double* stalled_s_C, int* bottleneck_C, int* left_P, unsigned long long* last_P,
    double* last_s_P, const double* capacity_R, double* load_R, double* carried_4R, int* is_changed_R,
    int* member_ends_R, int* member_flow_H, double* member_weight_H, double* sending_weight_R, const int* pattern_C,
    const int* hop_starts_C1, const int* hop_row_H, const int* member_starts_R1, const int* all_flow_H,
    const double* all_weight_H, const int* big_row, int num_big, int most_members, double tie_ratio, double* filled_C,
    double* share_R, int* blocked_at_R, int* touched_at_R, int* open_C, double* open_share_C, int* row_R,
    int* flying_C, unsigned int* counters_4, unsigned long long* extremes_4, double now_s, double until_s,
    double time_tolerance, int counts_bytes, int num_classes, int num_rows) {
    Grid grid = grid_of(counters_4, extremes_4);
    const Filling net = {hop_starts_C1,   hop_row_H,    member_starts_R1, member_ends_R, member_flow_H,
                         member_weight_H, capacity_R,   big_row,          num_big,       most_members,
                         tie_ratio,       filled_C,     bottleneck_C,     load_R,        share_R,
                         blocked_at_R,    touched_at_R, open_C,           open_share_C,  row_R};
    const Flows flows = {phase_C,   rate_C,        left_bytes_C,  end_s_C,         begin_s_C,        stalled_s_C,
                         pattern_C, flying_C,      left_P,        last_P,          last_s_P,         finished_4P,
                         is_changed_R, all_flow_H, all_weight_H,  member_ends_R,   member_flow_H,    member_weight_H,
                         sending_weight_R, time_tolerance};
    double reached_s = at_8[NOW_S], next_s = now_s;
    long long num_events = (long long)at_8[NUM_EVENTS], num_solves = (long long)at_8[NUM_SOLVES];
    long long instant = (long long)at_8[INSTANT];
    bool is_dirty = at_8[IS_DIRTY] != 0.0;
    int num_flying = 0, what;
    OWN(flow, num_classes) {
        if (phase_C[flow] != IDLE) flying_C[grid.thread + num_flying++ * grid.num_threads] = flow;
    }
    while (true) {
        const double dt_s = next_s - reached_s;
        reached_s = greater(reached_s, next_s);
        if (counts_bytes && dt_s > 0.0) carry(grid, net, carried_4R, num_rows, dt_s);
        const int mine = pass(grid, net, flows, &num_flying, reached_s, dt_s, ++instant);
        const bool has_finish = __syncthreads_or(mine == FINISH), has_change = __syncthreads_or(mine == CHANGE);
        what = (int)least_of_all(grid, has_finish ? FINISH : has_change ? CHANGE : NOTHING);
        num_events += what != NOTHING;
        is_dirty |= what != NOTHING;
        if (what == FINISH) {
            next_s = reached_s;
            break;
        }
        if (is_dirty) solve(grid, net, flows, num_flying, num_rows);
        num_solves += is_dirty;
        next_s = first_of_all(grid, next_change_s(grid, net, flows, num_flying, reached_s, is_dirty));
        is_dirty = false;
        if (next_s > until_s || next_s == infinity()) break;
    }
    leave(grid);
    if (blockIdx.x > 0) return;
    const unsigned int num_finished = tell_finished(grid, net, flows);
    if (threadIdx.x > 0) return;
    at_8[NOW_S] = reached_s;
    at_8[NEXT_S] = next_s;
    at_8[LARGEST_SHIFT_S] = __longlong_as_double((long long)extremes_4[3]);
    at_8[NUM_EVENTS] = (double)num_events;
    at_8[NUM_SOLVES] = (double)num_solves;
    at_8[IS_DIRTY] = is_dirty;
    at_8[FINISHED] = num_finished;
    at_8[INSTANT] = (double)instant;
}

// put_in_flight: classes that have started since the last call; S of them. Nothing in them is in flight yet.
extern "C" __global__ void put_in_flight(int* phase_C, double* rate_C, double* left_bytes_C, double* end_s_C,
                                         double* begin_s_C, double* stalled_s_C, int* left_P, double* last_s_P,
                                         const int* pattern_C, const int* started_S, const double* begin_s_S,
                                         const double* size_bytes_S, int num_started) {
    for (int k = blockIdx.x * blockDim.x + threadIdx.x; k < num_started; k += gridDim.x * blockDim.x) {
        const int flow = started_S[k];
        phase_C[flow] = WAITING;
        rate_C[flow] = stalled_s_C[flow] = 0.0;
        left_bytes_C[flow] = size_bytes_S[k];
        begin_s_C[flow] = begin_s_S[k];
        end_s_C[flow] = infinity();
        last_s_P[pattern_C[flow]] = not_a_number();
        atomicAdd(left_P + pattern_C[flow], 1);
    }
}
