/* Products of rows in bf16 with weights that do not change, summed in float32 and rounded once.
 *
 * Blocks: a tile of 6 rows × 64 outputs stays in registers over the sum; a panel of 64 outputs, brought into the order
 * that the processor's instruction wants (pairs of terms, side by side for all outputs), stays in the second cache while
 * the rows pass it by.  The weights are read where they lie, in either direction.  Six rows also go together in the
 * first cache where they lie a multiple of 4096 bytes apart: twelve would drive each other out.
 *
 * While a tile is summed, the lines of memory that come next are fetched: rows of x, the places of the result, and,
 * spread over the whole turn, the weights of the next panel.
 */
#include "kernels.h"

int omp_get_max_threads(void);
int omp_get_thread_num(void);

enum { TILE = 6, PANEL = 64, PARTS = 4, CHUNK = 16, LINE = 64 }; /* rows; outputs; vectors; pairs of terms; bytes */
/* how the work is divided, see `planned`: pairs of terms; turns for each thread; tiles of a turn; sums in float32 */
enum { PAIRS = 1024, TURNS = 8, LEAST_TILES = 16, MOST_TILES = 171, SUMS = 640 * 1024 };

typedef struct {
    const bf16 *x, *w, *bias, *onto;
    bf16 *out;
    int64_t rows, outputs, terms, x_stride, w_stride, onto_stride, out_stride, by_terms;
} Product;

/* the first n of thirty-two lanes */
static inline __mmask32 lanes(int64_t n) { return n >= 32 ? ~0u : n <= 0 ? 0 : (1u << n) - 1; }

/* a matrix of 16 × 16 four-byte numbers, rows to columns */
AVX512BF16 static inline __attribute__((always_inline)) void transpose(__m512i v[16]) {
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        v[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        v[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        v[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xDD);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
        v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

/* terms k0 to k1 of the 64 outputs from n0 on, out of weights (outputs, terms): for every pair of terms the two of
 * every output; 0 for what is not there */
AVX512BF16 static void pack_rows(const Product *p, int64_t n0, int64_t k0, int64_t k1, bf16 *panel) {
    for (int part = 0; part < PARTS; part++) {
        for (int64_t k = k0; k < k1; k += 32) {
            bf16 *to = panel + (k - k0) * PANEL + part * 32;
            const __mmask32 mask = lanes(k1 - k);
            __m512i v[16];
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) {
                const int64_t n = n0 + 16 * part + i;
                v[i] = _mm512_maskz_loadu_epi16(n < p->outputs ? mask : 0, p->w + n * p->w_stride + k);
            }
            transpose(v);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) _mm512_store_si512(to + 2 * i * PANEL, v[i]);
        }
    }
}

/* the same out of weights (terms, outputs) */
AVX512BF16 static void pack_columns(const Product *p, int64_t n0, int64_t k0, int64_t k1, bf16 *panel) {
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, /* a, then b */
                                         39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    const __mmask32 masks[2] = {lanes(p->outputs - n0), lanes(p->outputs - n0 - 32)};
    for (int64_t k = k0; k < k1; k += 2, panel += 2 * PANEL) {
        const bf16 *from = p->w + k * p->w_stride + n0;
        for (int64_t i = 16; i < 18; i++)
            for (int64_t n = 0; n < PANEL; n += 32) _mm_prefetch((const char *)(from + i * p->w_stride + n), _MM_HINT_T0);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            const __m512i a = _mm512_maskz_loadu_epi16(masks[half], from + 32 * half);
            const __m512i b = k + 1 < k1 ? _mm512_maskz_loadu_epi16(masks[half], from + p->w_stride + 32 * half)
                                         : _mm512_setzero_si512();
            _mm512_store_si512(panel + 64 * half, _mm512_permutex2var_epi16(a, low, b));
            _mm512_store_si512(panel + 64 * half + 32, _mm512_permutex2var_epi16(a, high, b));
        }
    }
}

/* a part of a matrix, to be fetched line by line */
typedef struct {
    const char *at, *row;
    int64_t length, stride, rows; /* bytes, bytes, how many are left */
} Walk;

static Walk walk(const bf16 *from, int64_t rows, int64_t columns, int64_t stride) {
    return (Walk){(const char *)from, (const char *)from, 2 * columns, 2 * stride, rows};
}

static inline __attribute__((always_inline)) void go_on(Walk *w) {
    _mm_prefetch(w->at, _MM_HINT_T1);
    w->at += LINE;
    if (w->at < w->row + w->length) return;
    w->rows--;
    w->row += w->stride;
    w->at = w->row;
}

/* what a tile is computed from and for */
typedef struct {
    const Product *product;
    const bf16 *panel;
    float *sums;                  /* (rows, PANEL), where the terms are divided */
    int64_t start, n0, k0;        /* the first row, output and term */
    int64_t pairs, odd;           /* of terms; whether one is left over */
    int64_t is_first, is_last;    /* of the blocks of terms */
    Walk next;                    /* the weights of the next panel */
    int64_t at_once;              /* lines of it with every 16 pairs */
} Job;

#define PAIR(read)                                                                               \
    {                                                                                            \
        __m512bh w[PARTS];                                                                       \
        _Pragma("GCC unroll 4") for (int v = 0; v < PARTS; v++)                                  \
            w[v] = (__m512bh)_mm512_load_si512(panel + 32 * v);                                  \
        _Pragma("GCC unroll 6") for (int r = 0; r < height; r++) {                               \
            uint32_t two = 0;                                                                    \
            memcpy(&two, half[r / 3] + (r % 3) * stride, read);                                  \
            const __m512bh a = (__m512bh)_mm512_set1_epi32((int32_t)two);                        \
            _Pragma("GCC unroll 4") for (int v = 0; v < PARTS; v++)                              \
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], w[v], a);                                \
        }                                                                                        \
        panel += 2 * PANEL;                                                                      \
        half[0] += 2;                                                                            \
        half[1] += 2;                                                                            \
    }

/* `height` rows from `row` on times the panel; `soon` are the rows that come next */
AVX512BF16 static inline __attribute__((always_inline)) void tile(const int height, Job *job, int64_t row,
                                                                  const bf16 *soon) {
    const Product *p = job->product;
    const int64_t stride = p->x_stride, pairs = job->pairs;
    const bf16 *x = p->x + row * stride + job->k0, *panel = job->panel;
    const bf16 *half[2] = {x, x + 3 * stride};
    bf16 *out = p->out + row * p->out_stride + job->n0;
    float *sums = job->sums + (row - job->start) * PANEL;
    const int64_t at_once = job->next.rows > 0 ? job->at_once : 0;
    __m512 sum[TILE][PARTS];
#pragma GCC unroll 6
    for (int r = 0; r < height; r++)
#pragma GCC unroll 4
        for (int v = 0; v < PARTS; v++)
            sum[r][v] = job->is_first ? _mm512_setzero_ps() : _mm512_load_ps(sums + r * PANEL + 16 * v);
    int64_t k = 0;
    for (; k + CHUNK <= pairs; k += CHUNK) {
        for (int64_t i = 0; i < at_once; i++) go_on(&job->next);
        for (int r = 0; r < TILE; r++) _mm_prefetch((const char *)(soon + r * stride + 2 * k), _MM_HINT_T1);
        if (k < CHUNK * height)
            for (int i = 0; i < PANEL; i += 32) __builtin_prefetch(out + k / CHUNK * p->out_stride + i, 1);
        for (int i = 0; i < CHUNK; i += 2) {
            PAIR(4)
            PAIR(4)
        }
    }
    for (; k < pairs; k++) PAIR(4)
    if (job->odd) PAIR(2)
    if (!job->is_last) {
#pragma GCC unroll 6
        for (int r = 0; r < height; r++)
#pragma GCC unroll 4
            for (int v = 0; v < PARTS; v++) _mm512_store_ps(sums + r * PANEL + 16 * v, sum[r][v]);
        return;
    }
    if (job->n0 + PANEL <= p->outputs && p->bias == NULL && p->onto == NULL) {
#pragma GCC unroll 6
        for (int r = 0; r < height; r++)
#pragma GCC unroll 2
            for (int v = 0; v < PARTS; v += 2)
                _mm512_storeu_si512(out + r * p->out_stride + 16 * v,
                                    (__m512i)_mm512_cvtne2ps_pbh(sum[r][v + 1], sum[r][v]));
        return;
    }
#pragma GCC unroll 4
    for (int v = 0; v < PARTS; v++) {
        const int64_t n = job->n0 + 16 * v;
        if (n >= p->outputs) break;
        const __mmask16 mask = first_lanes(p->outputs - n);
        const __m512 bias = p->bias == NULL ? _mm512_setzero_ps() : load_bf16_part(p->bias + n, mask);
#pragma GCC unroll 6
        for (int r = 0; r < height; r++) {
            __m512 y = _mm512_add_ps(sum[r][v], bias);
            if (p->onto != NULL)
                y = _mm512_add_ps(y, load_bf16_part(p->onto + (row + r) * p->onto_stride + n, mask));
            store_bf16_part(out + r * p->out_stride + 16 * v, y, mask);
        }
    }
}

#define SIZE(n) \
    case n: tile(n, job, row, soon); break;

AVX512BF16 static void some_rows(int64_t height, Job *job, int64_t row, const bf16 *soon) {
    switch (height) {
        SIZE(1) SIZE(2) SIZE(3) SIZE(4) SIZE(5)
    default: tile(TILE, job, row, soon);
    }
}

/* The work: a turn is a panel times a part of the rows; those of one panel follow one another.  Where the sum is divided
 * into blocks of terms, a thread takes several turns and does them block by block, so that the rows and the weights of a
 * block, and the places in memory where they are found, are still at hand for the next turn. */
typedef struct {
    const Product *product;
    int64_t parts, tiles, turns; /* of a panel; of a part; in all */
    int64_t blocks, pairs;       /* of the sum; of terms in a block */
    int64_t together;            /* turns that a thread takes at a time */
    int64_t threads, *taken;     /* (threads) of each one's share */
} Plan;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t over(int64_t a, int64_t b) { return (a + b - 1) / b; }

static Plan planned(const Product *p, int64_t threads) {
    const int64_t panels = over(p->outputs, PANEL), tiles = over(p->rows, TILE);
    /* several turns for each thread, but none so small that a panel is not worth its order */
    const int64_t wanted = threads > 1 ? over(TURNS * threads, panels) : 1;
    const int64_t parts = most(least(wanted, over(tiles, LEAST_TILES)), over(tiles, MOST_TILES));
    const int64_t height = over(tiles, parts), turns = panels * over(tiles, height);
    const int64_t blocks = over(p->terms, 2 * PAIRS), pairs = over(over(p->terms, blocks), 2 * CHUNK) * CHUNK;
    const int64_t together = blocks == 1 ? 1 : least(over(turns, threads), over(SUMS, height * TILE * PANEL));
    return (Plan){p, over(tiles, height), height, turns, blocks, pairs, together, threads, NULL};
}

/* a thread's place in the work: a block of terms of one turn, of those from `first` up to `end` */
typedef struct {
    int64_t first, end, turn, block;
} Place;

/* the next turns for a thread: of its own share, then of what others have left */
static Place take(const Plan *plan, int64_t own) {
    for (int64_t i = 0; i < plan->threads; i++) {
        const int64_t who = (own + i) % plan->threads, end = plan->turns * (who + 1) / plan->threads;
        const int64_t before = __atomic_fetch_add(plan->taken + who, plan->together, __ATOMIC_RELAXED);
        const int64_t first = plan->turns * who / plan->threads + before;
        if (first < end) return (Place){first, least(end, first + plan->together), first, 0};
    }
    return (Place){plan->turns, plan->turns, plan->turns, 0};
}

static Place following(const Plan *plan, Place at, int64_t own) {
    if (at.turn + 1 < at.end) return (Place){at.first, at.end, at.turn + 1, at.block};
    if (at.block + 1 < plan->blocks) return (Place){at.first, at.end, at.first, at.block + 1};
    return take(plan, own);
}

static int64_t same_panel(const Plan *plan, Place a, Place b) {
    return a.block == b.block && a.turn / plan->parts == b.turn / plan->parts;
}

/* the weights for a place, to be fetched */
static Walk weights(const Plan *plan, Place at) {
    const Product *p = plan->product;
    const int64_t n = at.turn / plan->parts * PANEL, k = 2 * at.block * plan->pairs;
    const int64_t outputs = least(PANEL, p->outputs - n), terms = least(2 * plan->pairs, p->terms - k);
    return p->by_terms ? walk(p->w + k * p->w_stride + n, terms, outputs, p->w_stride)
                       : walk(p->w + n * p->w_stride + k, outputs, terms, p->w_stride);
}

/* what is to be done at one place; the panel is that of `before`, and `next` comes after */
AVX512BF16 static void compute(const Plan *plan, Place before, Place at, Place next, bf16 *panel, float *sums) {
    const Product *p = plan->product;
    const int64_t row = at.turn % plan->parts * plan->tiles * TILE, end = least(p->rows, row + plan->tiles * TILE);
    const int64_t n = at.turn / plan->parts * PANEL;
    const int64_t k = 2 * at.block * plan->pairs, k1 = least(p->terms, k + 2 * plan->pairs), pairs = (k1 - k) / 2;
    if (!same_panel(plan, before, at)) (p->by_terms ? pack_columns : pack_rows)(p, n, k, k1, panel);
    sums += (at.turn - at.first) * plan->tiles * TILE * PANEL;
    Job job = {p, panel, sums, row, n, k, pairs, (k1 - k) % 2, at.block == 0, at.block == plan->blocks - 1, {0}, 0};
    if (next.turn < plan->turns && !same_panel(plan, at, next)) {
        job.next = weights(plan, next);
        const int64_t lines = job.next.rows * over(job.next.length, LINE);
        job.at_once = over(lines, most(1, over(end - row, TILE) * (pairs / CHUNK)));
    }
    const bf16 *first = p->x + next.turn % plan->parts * plan->tiles * TILE * p->x_stride + 2 * next.block * plan->pairs;
    for (int64_t r = row; r < end; r += TILE)
        some_rows(least(TILE, end - r), &job, r, r + TILE < end ? p->x + (r + TILE) * p->x_stride + k : first);
}

/* out (rows, outputs) = x (rows, terms) · weights + bias (outputs) + onto (rows, outputs), where the last two are given;
 * onto may be out.  The weights are (outputs, terms), or (terms, outputs) where `by_terms` is not 0.  The strides are
 * those of rows.  Returns 1 where no memory is found, otherwise 0. */
int quire_product(const bf16 *x, const bf16 *w, const bf16 *bias, const bf16 *onto, bf16 *out, int64_t rows,
                  int64_t outputs, int64_t terms, int64_t x_stride, int64_t w_stride, int64_t onto_stride,
                  int64_t out_stride, int64_t by_terms) {
    const Product product = {x,     w,        bias,     onto,        out,        rows,    outputs,
                             terms, x_stride, w_stride, onto_stride, out_stride, by_terms};
    Plan plan = planned(&product, omp_get_max_threads());
    const int64_t panel = plan.pairs * 2 * PANEL * 2, part = plan.tiles * TILE * PANEL * 4;
    const int64_t each = panel + (plan.blocks > 1 ? plan.together * part : 0);
    const int64_t counters = over(plan.threads * 8, LINE) * LINE;
    char *memory = aligned_alloc(LINE, (size_t)(counters + plan.threads * each));
    if (memory == NULL) return 1;
    plan.taken = memset(memory, 0, (size_t)counters);
#pragma omp parallel
    {
        const int64_t own = omp_get_thread_num();
        char *mine = memory + counters + own * each;
        Place before = {-1, -1, -1, -1}, at = take(&plan, own);
        while (at.turn < plan.turns) {
            const Place next = following(&plan, at, own);
            compute(&plan, before, at, next, (bf16 *)mine, (float *)(mine + panel));
            before = at;
            at = next;
        }
    }
    free(memory);
    return 0;
}
