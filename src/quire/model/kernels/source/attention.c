/* Causal attention over packed works, forward and backward, after FlashAttention-2 (arXiv 2307.08691): tile by tile,
 * no matrix of all scores.  Products in bf16 with float32 sums (vdpbf16ps), softmax in float32, rotary positions on
 * the way in and out.
 *
 * Names: a row of tokens holds `segments` works, work i from starts[i] up to starts[i + 1]; no work sees another.  A
 * work is padded to whole groups of 16 tokens, so that its result is the same, bit for bit, wherever it stands in a
 * row.
 * q, out, dq, dout: (tokens, heads, dim); k, v, dk, dv: (tokens, groups, dim), with `heads / groups` heads to a group.
 * cos, sin: (turns, dim), that of token t at row t % turns; NULL where nothing is to be turned.
 * lse: (heads, tokens), the logarithm to base 2 of the sum of exponentials of a row of scores.
 *
 * vdpbf16ps multiplies pairs: C[m][n] += A[m][2j] * B[2j][n] + A[m][2j+1] * B[2j+1][n].  A is read as it lies, two
 * neighbours of a row at a time; B must have its rows interleaved two by two.  Hence the two ways of packing below:
 *   by features, for scores:    [n / 16][dim / 2][16][2]   a vector holds two features of sixteen tokens
 *   by tokens, for everything that sums over tokens:  [n / 2][dim][2]   a vector holds sixteen features of two tokens
 */
#include "kernels.h"
#include <math.h>

#define TILE 64      /* tokens on either side of a tile of scores */
#define UNITS 12     /* of work on the way back, at least: what threads share among them */
#define SLACK 8.0f
#define LOG2E 1.44269504088896341f

/* Not merged into its callers, where the compiler would run short of registers. */
#define OWN_FUNCTION AVX512BF16 __attribute__((noinline))

/* Loops over what is held in registers: unrolled as a whole, or it is not held there. */
#ifdef __clang__
#define IN_REGISTERS _Pragma("unroll")
#else
#define IN_REGISTERS _Pragma("GCC unroll 16")
#endif

static inline int64_t padded(int64_t n) { return (n + 15) & ~(int64_t)15; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void *room(size_t bytes) {
    void *found = NULL;
    return posix_memalign(&found, 64, bytes ? bytes : 64) == 0 ? found : NULL;
}

/* 2^x for x <= 0, to 5e-6 of its value: far finer than the bf16 that it becomes; 0 far below, NaN for NaN.
 * The polynomial is the best of degree 4 for the relative error on [-1/2, 1/2] (fitted with Remez' exchange). */
AVX512 static inline __m512 power_of_two(__m512 x) {
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(x, n);
    __m512 p = _mm512_set1_ps(9.570101420e-03f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.591786028e-02f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.402474484e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.931218147e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.999992614e-01f));
    return _mm512_scalef_ps(p, n);
}

/* two neighbouring bf16, sixteen times */
AVX512BF16 static inline __m512bh two_of(const bf16 *p) {
    int32_t two;
    memcpy(&two, p, 4);
    return (__m512bh)_mm512_set1_epi32(two);
}

/* C (ROWS x 16 * NG) (+)= A (ROWS x 2 * pairs) B; one function for each, so that the sums stay in registers */
#define PRODUCT(ROWS, NG)                                                                                             \
    AVX512BF16 static inline __attribute__((always_inline)) void product_##ROWS##_##NG(                               \
        float *c, int64_t c_row, const bf16 *a, int64_t a_row, int64_t a_pair, const bf16 *b, int64_t b_pair,         \
        int64_t b_group, int64_t pairs, int add) {                                                                    \
        __m512 sum[ROWS][NG];                                                                                         \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++)                                                                              \
                sum[i][j] = add ? _mm512_loadu_ps(c + i * c_row + 16 * j) : _mm512_setzero_ps();                      \
        for (int64_t p = 0; p < pairs; p++) {                                                                         \
            __m512bh right[NG];                                                                                       \
            for (int j = 0; j < NG; j++) right[j] = (__m512bh)_mm512_loadu_si512(b + p * b_pair + j * b_group);       \
            for (int i = 0; i < ROWS; i++) {                                                                          \
                __m512bh left = two_of(a + i * a_row + p * a_pair);                                                   \
                for (int j = 0; j < NG; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], left, right[j]);                 \
            }                                                                                                         \
        }                                                                                                             \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++) _mm512_storeu_ps(c + i * c_row + 16 * j, sum[i][j]);                         \
    }
PRODUCT(16, 1)
PRODUCT(8, 2)
PRODUCT(4, 3)
PRODUCT(4, 4)

/* C (16 x 16 * groups) (+)= A (16 x 2 * pairs) B */
OWN_FUNCTION static void multiply(float *c, int64_t c_row, const bf16 *a, int64_t a_row, int64_t a_pair,
                                  const bf16 *b, int64_t b_pair, int64_t b_group, int64_t groups, int64_t pairs,
                                  int add) {
#define EACH(ROWS, NG)                                                                                                \
    for (int i = 0; i < 16; i += ROWS)                                                                                \
        product_##ROWS##_##NG(c + i * c_row, c_row, a + i * a_row, a_row, a_pair, b, b_pair, b_group, pairs, add)
    for (; groups > 0; groups -= 4, c += 64, b += 4 * b_group)
        switch (least(4, groups)) {
        case 4: EACH(4, 4); break;
        case 3: EACH(4, 3); break;
        case 2: EACH(8, 2); break;
        default: EACH(16, 1); break;
        }
#undef EACH
}

/* Rows as they lie, turned by their positions where there are any, into (padded n, dim); the padding is zero. */
AVX512BF16 static void gather(bf16 *to, const bf16 *from, int64_t row, int64_t n, int64_t dim, const bf16 *cos,
                              const bf16 *sin, int64_t turns, int64_t first) {
    int64_t half = dim / 2, turn = first % turns;
    for (int64_t t = 0; t < n; t++, to += dim, from += row) {
        for (int64_t d = 0; d < dim; d += 32) _mm_prefetch((const char *)(from + 8 * row + d), _MM_HINT_T0);
        if (cos == NULL) {
            for (int64_t d = 0; d < dim; d += 16)
                _mm256_storeu_si256((__m256i *)(to + d), _mm256_loadu_si256((const __m256i *)(from + d)));
            continue;
        }
        const bf16 *c = cos + turn * dim, *s = sin + turn * dim;
        turn = turn + 1 < turns ? turn + 1 : 0;
        for (int64_t d = 0; d < half; d += 16) {
            __mmask16 m = first_lanes(half - d);
            __m512 low = load_bf16_part(from + d, m), high = load_bf16_part(from + half + d, m);
            __m512 turned = _mm512_mul_ps(high, load_bf16_part(s + d, m));
            store_bf16_part(to + d, _mm512_fmsub_ps(low, load_bf16_part(c + d, m), turned), m);
            turned = _mm512_mul_ps(low, load_bf16_part(s + half + d, m));
            store_bf16_part(to + half + d, _mm512_fmadd_ps(high, load_bf16_part(c + half + d, m), turned), m);
        }
    }
    memset(to, 0, (padded(n) - n) * dim * sizeof(bf16));
}

/* The gradient of `gather`: rows in float32 times `scale`, turned back, into bf16. */
AVX512BF16 static void scatter(bf16 *to, int64_t row, const float *from, int64_t n, int64_t dim, float scale,
                               const bf16 *cos, const bf16 *sin, int64_t turns, int64_t first) {
    int64_t half = dim / 2, turn = first % turns;
    __m512 by = _mm512_set1_ps(scale);
    for (int64_t t = 0; t < n; t++, to += row, from += dim) {
        if (cos == NULL) {
            for (int64_t d = 0; d < dim; d += 16) store_bf16(to + d, _mm512_mul_ps(by, _mm512_loadu_ps(from + d)));
            continue;
        }
        const bf16 *c = cos + turn * dim, *s = sin + turn * dim;
        turn = turn + 1 < turns ? turn + 1 : 0;
        for (int64_t d = 0; d < half; d += 16) {
            __mmask16 m = first_lanes(half - d);
            __m512 low = _mm512_mul_ps(by, _mm512_maskz_loadu_ps(m, from + d));
            __m512 high = _mm512_mul_ps(by, _mm512_maskz_loadu_ps(m, from + half + d));
            __m512 turned = _mm512_mul_ps(high, load_bf16_part(s + half + d, m));
            store_bf16_part(to + d, _mm512_fmadd_ps(low, load_bf16_part(c + d, m), turned), m);
            turned = _mm512_mul_ps(low, load_bf16_part(s + d, m));
            store_bf16_part(to + half + d, _mm512_fmsub_ps(high, load_bf16_part(c + half + d, m), turned), m);
        }
    }
}

/* 16 x 16 numbers of 32 bits, mirrored */
AVX512 static inline __attribute__((always_inline)) void mirror(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* (n, dim) to [n / 16][dim / 2][16][2]; n a multiple of 16.  Pairs of features are numbers of 32 bits, mirrored. */
AVX512 static void by_features(bf16 *to, const bf16 *from, int64_t n, int64_t dim) {
    for (int64_t t = 0; t < n; t += 16, from += 16 * dim)
        for (int64_t d = 0; d < dim; d += 32, to += 32 * 16) {
            int64_t width = least(32, dim - d);
            __mmask16 m = first_lanes(width / 2);
            __m512i r[16];
            for (int i = 0; i < 16; i++) r[i] = _mm512_maskz_loadu_epi32(m, from + i * dim + d);
            mirror(r);
            for (int i = 0; i < width / 2; i++) _mm512_storeu_si512(to + 32 * i, r[i]);
            to -= (32 - width) * 16;
        }
}

/* two rows of sixteen bf16 (the halves of x), interleaved */
AVX512 static inline __m512i interleaved(__m512i x) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, x);
}

/* (n, dim) to [n / 2][dim][2] */
AVX512 static void by_tokens(bf16 *to, const bf16 *from, int64_t n, int64_t dim) {
    for (int64_t t = 0; t < n; t += 2, from += 2 * dim)
        for (int64_t d = 0; d < dim; d += 16, to += 32) {
            __m256i even = _mm256_loadu_si256((const __m256i *)(from + d));
            __m256i odd = _mm256_loadu_si256((const __m256i *)(from + dim + d));
            _mm512_storeu_si512(to, interleaved(_mm512_inserti64x4(_mm512_castsi256_si512(even), odd, 1)));
        }
}

/* Where the padded works begin in a buffer of padded tokens: offsets (segments + 1). */
static void lay_out(int64_t *offsets, const int64_t *starts, int64_t segments) {
    offsets[0] = 0;
    for (int64_t i = 0; i < segments; i++) offsets[i + 1] = offsets[i] + padded(starts[i + 1] - starts[i]);
}

/* Scores of ROWS queries (ROWS, dim) with 16 * NG keys, and their probabilities in `p` (ROWS, 64), bf16; where `seen`
 * is not 0, the last sixteen keys are those of the queries' own group, of which query i sees the first `seen` + i.
 * `scale` brings scores to units of log 2.  `highest` (ROWS), `total` (ROWS, 16), `out` (ROWS, dim) are brought up to
 * date.
 *
 * The exponentials count from `highest`, which follows the largest score only where that has left it far behind: what
 * is up to SLACK above is as exact, and the sums so far need not be scaled (after FlashAttention-4). */
#define SOFTEN(ROWS, NG)                                                                                              \
    AVX512BF16 static inline __attribute__((always_inline)) void soften_##ROWS##_##NG(                                \
        bf16 *p, const bf16 *queries, const bf16 *keys, float *highest, float *total, float *out, int64_t dim,        \
        int seen, float scale) {                                                                                      \
        const __m512 by = _mm512_set1_ps(scale), lowest = _mm512_set1_ps(-INFINITY);                                  \
        __m512 s[ROWS][NG];                                                                                           \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++) s[i][j] = _mm512_setzero_ps();                                               \
        for (int64_t d = 0; d < dim; d += 2) {                                                                        \
            __m512bh right[NG];                                                                                       \
            for (int j = 0; j < NG; j++) right[j] = (__m512bh)_mm512_loadu_si512(keys + 16 * (d + j * dim));          \
            IN_REGISTERS                                                                                              \
            for (int i = 0; i < ROWS; i++) {                                                                          \
                __m512bh left = two_of(queries + i * dim + d);                                                        \
                for (int j = 0; j < NG; j++) s[i][j] = _mm512_dpbf16_ps(s[i][j], left, right[j]);                     \
            }                                                                                                         \
        }                                                                                                             \
        IN_REGISTERS                                                                                                  \
        for (int i = 0; i < ROWS; i++) {                                                                              \
            __m512 top = lowest, sum = _mm512_loadu_ps(total + 16 * i), most = _mm512_set1_ps(highest[i]);            \
            IN_REGISTERS                                                                                              \
            for (int j = 0; j < NG; j++) {                                                                            \
                s[i][j] = _mm512_mul_ps(s[i][j], by);                                                                 \
                if (seen && j == NG - 1) s[i][j] = _mm512_mask_mov_ps(lowest, first_lanes(seen + i), s[i][j]);        \
                top = _mm512_max_ps(top, s[i][j]);                                                                    \
            }                                                                                                         \
            if (_mm512_cmp_ps_mask(top, _mm512_add_ps(most, _mm512_set1_ps(SLACK)), _CMP_NLE_UQ)) {                   \
                __m512 now = _mm512_set1_ps(_mm512_reduce_max_ps(top));                                               \
                __m512 less = power_of_two(_mm512_sub_ps(most, now));                                                 \
                for (int64_t d = i * dim; d < (i + 1) * dim; d += 16)                                                 \
                    _mm512_storeu_ps(out + d, _mm512_mul_ps(less, _mm512_loadu_ps(out + d)));                         \
                sum = _mm512_mul_ps(sum, less);                                                                       \
                most = now;                                                                                           \
                highest[i] = _mm512_cvtss_f32(now);                                                                   \
            }                                                                                                         \
            IN_REGISTERS                                                                                              \
            for (int j = 0; j < NG; j++) {                                                                            \
                __m512 e = power_of_two(_mm512_sub_ps(s[i][j], most));                                                \
                sum = _mm512_add_ps(sum, e);                                                                          \
                store_bf16(p + i * TILE + 16 * j, e);                                                                 \
            }                                                                                                         \
            _mm512_storeu_ps(total + 16 * i, sum);                                                                    \
        }                                                                                                             \
    }
SOFTEN(16, 1)
SOFTEN(8, 2)
SOFTEN(4, 3)
SOFTEN(4, 4)

/* Sixteen queries and the keys of one tile: probabilities in `p` (16, 64).  Where `own` is not negative, the tile is
 * the queries' own, and they are its group `own`; of later ones they see nothing. */
OWN_FUNCTION static void soften(bf16 *p, const bf16 *queries, const bf16 *keys, float *highest, float *total,
                                float *out, int64_t dim, int64_t own, float scale) {
#define EACH(ROWS, NG, OWN)                                                                                           \
    for (int i = 0; i < 16; i += ROWS)                                                                                \
        soften_##ROWS##_##NG(p + i * TILE, queries + i * dim, keys, highest + i, total + 16 * i, out + i * dim, dim,  \
                             (OWN) ? i + 1 : 0, scale)
    switch (own) {
    case 0: EACH(16, 1, 1); break;
    case 1: EACH(8, 2, 1); break;
    case 2: EACH(4, 3, 1); break;
    case 3: EACH(4, 4, 1); break;
    default: EACH(4, 4, 0); break;
    }
#undef EACH
}

/* Returns 0, or 1 where there was no memory. */
AVX512BF16 int64_t quire_attention_forward(const bf16 *q, int64_t q_row, const bf16 *k, int64_t k_row, const bf16 *v,
                                           int64_t v_row, const bf16 *cos, const bf16 *sin, int64_t turns,
                                           const int64_t *starts, int64_t segments, int64_t heads, int64_t groups,
                                           int64_t dim, float scale, bf16 *out, float *lse) {
    int64_t tokens = starts[segments], share = heads / groups, blocks = 0, bad = 0;
    int64_t *offsets = room((segments + 1) * 2 * sizeof(int64_t)), *blocks_before = offsets + segments + 1;
    if (offsets == NULL) return 1;
    lay_out(offsets, starts, segments);
    for (int64_t i = 0; i < segments; i++) {
        blocks_before[i] = blocks;
        blocks += (starts[i + 1] - starts[i] + TILE - 1) / TILE;
    }
    blocks_before[segments] = blocks;
    int64_t all = offsets[segments];
    bf16 *keys = room(groups * all * dim * sizeof(bf16)), *values = room(groups * all * dim * sizeof(bf16));
    if (keys == NULL || values == NULL) bad = 1;
    const int64_t go = !bad; /* `bad` may change while threads are still on their way in */
#pragma omp parallel
    if (go) {
        bf16 *rows = room(TILE * dim * sizeof(bf16));
        bf16 *p = room(16 * TILE * sizeof(bf16));
        float *sums = room(TILE * dim * sizeof(float));
        float highest[TILE], total[TILE * 16];
        if (rows == NULL || p == NULL || sums == NULL) {
#pragma omp atomic write
            bad = 1;
        }
#pragma omp barrier
        if (!bad) {
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t g = 0; g < groups; g++)
                for (int64_t b = 0; b < blocks; b++) {
                    int64_t w = 0;
                    while (blocks_before[w + 1] <= b) w++;
                    int64_t at = (b - blocks_before[w]) * TILE, n = least(TILE, starts[w + 1] - starts[w] - at);
                    int64_t first = starts[w] + at, place = (g * all + offsets[w] + at) * dim;
                    gather(rows, k + first * k_row + g * dim, k_row, n, dim, cos, sin, turns, first);
                    by_features(keys + place, rows, padded(n), dim);
                    gather(rows, v + first * v_row + g * dim, v_row, n, dim, NULL, NULL, 1, first);
                    by_tokens(values + place, rows, padded(n), dim);
                }
#pragma omp for schedule(dynamic, 1)
            for (int64_t unit = heads * blocks - 1; unit >= 0; unit--) {
                int64_t h = unit % heads, b = unit / heads, w = 0;
                while (blocks_before[w + 1] <= b) w++;
                int64_t at = (b - blocks_before[w]) * TILE, n = least(TILE, starts[w + 1] - starts[w] - at);
                int64_t first = starts[w] + at, place = (h / share * all + offsets[w]) * dim;
                gather(rows, q + first * q_row + h * dim, q_row, n, dim, cos, sin, turns, first);
                memset(sums, 0, padded(n) * dim * sizeof(float));
                for (int i = 0; i < TILE; i++) highest[i] = -INFINITY;
                memset(total, 0, sizeof(total));
                for (int64_t key = 0; key < at + n; key += TILE)
                    for (int64_t i = 0; i < padded(n); i += 16) {
                        int64_t own = key == at ? i / 16 : -1, sixteens = key == at ? i / 16 + 1 : TILE / 16;
                        soften(p, rows + i * dim, keys + place + key * dim, highest + i, total + 16 * i, sums + i * dim,
                               dim, own, scale * LOG2E);
                        multiply(sums + i * dim, dim, p, TILE, 2, values + place + key * dim, 2 * dim, 32, dim / 16,
                                 8 * sixteens, 1);
                    }
                for (int64_t i = 0; i < n; i++) {
                    float sum = _mm512_reduce_add_ps(_mm512_loadu_ps(total + 16 * i));
                    __m512 by = _mm512_set1_ps(1.0f / sum);
                    bf16 *to = out + ((first + i) * heads + h) * dim;
                    for (int64_t d = 0; d < dim; d += 16)
                        store_bf16(to + d, _mm512_mul_ps(by, _mm512_loadu_ps(sums + i * dim + d)));
                    lse[h * tokens + first + i] = highest[i] + log2f(sum);
                }
            }
        }
        free(rows), free(p), free(sums);
    }
    free(keys), free(values), free(offsets);
    return bad;
}

/* One head's queries from `first` of their work on, up to 64 (m, padded), with all that the way back reads of them. */
typedef struct {
    bf16 *rows, *q_features, *q_tokens, *o_features, *o_tokens;
    float levels[TILE], inner[TILE]; /* lse; the gradient's product with what came out */
    float *dq;                       /* (m, dim) */
    int64_t first, m;
} asking;

/* A tile's probabilities and the gradients of its scores, transposed, rows are keys and columns queries, (64, 64) bf16;
 * pairs: [32][64][2], the latter again. */
typedef struct {
    bf16 *prob, *dscore, *pairs;
} tile;

/* ROWS keys, 16 * NG queries from column `at` on; where `own`, key i sees the queries of the first group from lane
 * `own` - 1 + i on. */
#define GRADIENT(ROWS, NG)                                                                                            \
    AVX512BF16 static inline __attribute__((always_inline)) void gradient_##ROWS##_##NG(                              \
        const tile *to, int64_t row, int64_t at, const bf16 *k, const bf16 *v, const asking *q, int64_t dim, int own, \
        float scale) {                                                                                                \
        const __m512 by = _mm512_set1_ps(scale * LOG2E);                                                              \
        const bf16 *q_right = q->q_features + at * dim, *o_right = q->o_features + at * dim;                          \
        __m512 s[ROWS][NG], d[ROWS][NG];                                                                              \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++) s[i][j] = d[i][j] = _mm512_setzero_ps();                                     \
        for (int64_t f = 0; f < dim; f += 2) {                                                                        \
            __m512bh q_now[NG], o_now[NG];                                                                            \
            IN_REGISTERS                                                                                              \
            for (int j = 0; j < NG; j++) {                                                                            \
                q_now[j] = (__m512bh)_mm512_loadu_si512(q_right + 16 * (f + j * dim));                                \
                o_now[j] = (__m512bh)_mm512_loadu_si512(o_right + 16 * (f + j * dim));                                \
            }                                                                                                         \
            IN_REGISTERS                                                                                              \
            for (int i = 0; i < ROWS; i++) {                                                                          \
                __m512bh left = two_of(k + i * dim + f), right = two_of(v + i * dim + f);                             \
                IN_REGISTERS                                                                                          \
                for (int j = 0; j < NG; j++) {                                                                        \
                    s[i][j] = _mm512_dpbf16_ps(s[i][j], left, q_now[j]);                                              \
                    d[i][j] = _mm512_dpbf16_ps(d[i][j], right, o_now[j]);                                             \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        IN_REGISTERS                                                                                                  \
        for (int j = 0; j < NG; j++) {                                                                                \
            __m512 level = _mm512_loadu_ps(q->levels + at + 16 * j), minus = _mm512_loadu_ps(q->inner + at + 16 * j); \
            IN_REGISTERS                                                                                              \
            for (int i = 0; i < ROWS; i += 2) {                                                                       \
                int64_t place = (row + i) * TILE + at + 16 * j;                                                       \
                __m512 p[2], g[2];                                                                                    \
                for (int e = 0; e < 2; e++) {                                                                         \
                    p[e] = power_of_two(_mm512_fmsub_ps(s[i + e][j], by, level));                                     \
                    g[e] = _mm512_sub_ps(d[i + e][j], minus);                                                         \
                    if (own && j == 0) {                                                                              \
                        __mmask16 m = (__mmask16)(0xFFFFu << (own - 1 + i + e));                                      \
                        p[e] = _mm512_maskz_mov_ps(m, p[e]);                                                          \
                        g[e] = _mm512_maskz_mul_ps(m, p[e], g[e]);                                                    \
                    } else {                                                                                          \
                        g[e] = _mm512_mul_ps(p[e], g[e]);                                                             \
                    }                                                                                                 \
                    store_bf16(to->prob + place + e * TILE, p[e]);                                                    \
                }                                                                                                     \
                __m512i both = (__m512i)_mm512_cvtne2ps_pbh(g[1], g[0]);                                              \
                _mm256_storeu_si256((__m256i *)(to->dscore + place), _mm512_castsi512_si256(both));                   \
                _mm256_storeu_si256((__m256i *)(to->dscore + place + TILE), _mm512_extracti64x4_epi64(both, 1));      \
                _mm512_storeu_si512(to->pairs + (row + i) * TILE + 2 * (at + 16 * j), interleaved(both));             \
            }                                                                                                         \
        }                                                                                                             \
    }
GRADIENT(8, 1)
GRADIENT(4, 2)

/* Sixteen keys, those of the tile's rows from `row` on, and the queries from column `at` on, up to `end`; where `own`,
 * the first sixteen queries are at the places of these keys. */
OWN_FUNCTION static void gradient(const tile *to, int64_t row, int64_t at, int64_t end, const bf16 *k, const bf16 *v,
                                  const asking *q, int64_t dim, int own, float scale) {
#define EACH(ROWS, NG, OWN)                                                                                           \
    for (int i = 0; i < 16; i += ROWS)                                                                                \
        gradient_##ROWS##_##NG(to, row + i, at, k + i * dim, v + i * dim, q, dim, (OWN) ? i + 1 : 0, scale)
    if (own && end - at >= 32) {
        EACH(4, 2, 1);
        at += 32;
    } else if (own) {
        EACH(8, 1, 1);
        at += 16;
    }
    for (; end - at >= 32; at += 32) EACH(4, 2, 0);
    if (at < end) EACH(8, 1, 0);
#undef EACH
}

/* What up to 64 queries of one head leave behind: their own gradient in q->dq, and that of all keys and values that
 * they see: it is added to dk and dv (tokens, dim) or, where not `add`, begins them. */
OWN_FUNCTION static void walk_back(asking *q, float *dk, float *dv, int add, const bf16 *k,
                                   const bf16 *k_tokens, const bf16 *v, int64_t dim, float scale, const tile *t) {
    for (int64_t key = 0; key < q->first + q->m; key += TILE) {
        int64_t keys = least(TILE, q->first + q->m - key);
        for (int64_t i = 0; i < keys; i += 16) {
            /* queries before their own group see nothing of these keys */
            int own = key == q->first;
            int64_t at = own ? i : 0, row = key + i;
            gradient(t, i, at, q->m, k + row * dim, v + row * dim, q, dim, own, scale);
            multiply(dv + row * dim, dim, t->prob + i * TILE + at, TILE, 2, q->o_tokens + at * dim, 2 * dim, 32,
                     dim / 16, (q->m - at) / 2, add);
            multiply(dk + row * dim, dim, t->dscore + i * TILE + at, TILE, 2, q->q_tokens + at * dim, 2 * dim, 32,
                     dim / 16, (q->m - at) / 2, add);
        }
        for (int64_t i = 0; i < q->m; i += 16)
            multiply(q->dq + i * dim, dim, t->pairs + 2 * i, 2, 2 * TILE, k_tokens + key * dim, 2 * dim, 32, dim / 16,
                     (key == q->first ? i + 16 : keys) / 2, key > 0);
    }
}

/* a += b; n a multiple of 16 */
AVX512 static void add_to(float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(a + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
}

AVX512BF16 static float dot(const bf16 *a, const bf16 *b, int64_t dim, int64_t row) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < dim; d += 32) _mm_prefetch((const char *)(a + 8 * row + d), _MM_HINT_T0);
    for (int64_t d = 0; d < dim; d += 16) sum = _mm512_fmadd_ps(load_bf16(a + d), load_bf16(b + d), sum);
    return _mm512_reduce_add_ps(sum);
}

/* n queries with what came out, its gradient and their levels, each where the first of them lies. */
OWN_FUNCTION static void ask(asking *x, const bf16 *q, int64_t q_row, const bf16 *out, const bf16 *dout, int64_t o_row,
                             const float *lse, int64_t n, int64_t dim, const bf16 *cos, const bf16 *sin, int64_t turns,
                             int64_t place) {
    x->m = padded(n);
    gather(x->rows, q, q_row, n, dim, cos, sin, turns, place);
    by_features(x->q_features, x->rows, x->m, dim);
    by_tokens(x->q_tokens, x->rows, x->m, dim);
    gather(x->rows, dout, o_row, n, dim, NULL, NULL, 1, place);
    by_features(x->o_features, x->rows, x->m, dim);
    by_tokens(x->o_tokens, x->rows, x->m, dim);
    for (int64_t i = 0; i < x->m; i++) {
        x->levels[i] = i < n ? lse[i] : INFINITY; /* the padding has no part in anything */
        x->inner[i] = i < n ? dot(out + i * o_row, x->rows + i * dim, dim, o_row) : 0.0f;
    }
}

/* The tile of queries that piece `piece` of `pieces` has as its `turn`-th, negative after the last: from the end of the
 * work to its beginning, up and down among the pieces in turns, so that all have as much to do. */
static inline int64_t tile_of(int64_t tiles, int64_t piece, int64_t pieces, int64_t turn) {
    return tiles - 1 - turn * pieces - (turn % 2 ? pieces - 1 - piece : piece);
}

/* dq, dk, dv as q, k, v, each with rows one behind the other.  Returns 0, or 1 where there was no memory. */
AVX512BF16 int64_t quire_attention_backward(const bf16 *q, int64_t q_row, const bf16 *k, int64_t k_row, const bf16 *v,
                                            int64_t v_row, const bf16 *cos, const bf16 *sin, int64_t turns,
                                            const int64_t *starts, int64_t segments, int64_t heads, int64_t groups,
                                            int64_t dim, float scale, const bf16 *out, const float *lse,
                                            const bf16 *dout, bf16 *dq, bf16 *dk, bf16 *dv) {
    int64_t tokens = starts[segments], share = heads / groups, bad = 0;
    /* The queries of a group of heads are so many pieces of work, whatever the threads, each with sums of its own. */
    const int64_t pieces = (UNITS + groups - 1) / groups;
    int64_t *offsets = room((segments + 1) * sizeof(int64_t));
    if (offsets == NULL) return 1;
    lay_out(offsets, starts, segments);
    int64_t size = offsets[segments] * dim;
    bf16 *k_rows = room(3 * groups * size * sizeof(bf16)), *k_tokens = k_rows + groups * size;
    bf16 *v_rows = k_tokens + groups * size;
    float *to_k = room(pieces * groups * size * sizeof(float)), *to_v = room(pieces * groups * size * sizeof(float));
    if (k_rows == NULL || to_k == NULL || to_v == NULL) bad = 1;
    const int64_t go = !bad;
#pragma omp parallel
    if (go) {
        bf16 *halves = room((5 * dim + 3 * TILE) * TILE * sizeof(bf16)), *after = halves + 5 * TILE * dim;
        float *sums = room(TILE * dim * sizeof(float));
        if (halves == NULL || sums == NULL) {
#pragma omp atomic write
            bad = 1;
        }
#pragma omp barrier
        if (!bad) {
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t g = 0; g < groups; g++)
                for (int64_t w = 0; w < segments; w++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, place = g * size + offsets[w] * dim;
                    gather(k_rows + place, k + first * k_row + g * dim, k_row, n, dim, cos, sin, turns, first);
                    by_tokens(k_tokens + place, k_rows + place, padded(n), dim);
                    gather(v_rows + place, v + first * v_row + g * dim, v_row, n, dim, NULL, NULL, 1, first);
                }
            tile t = {after, after + TILE * TILE, after + 2 * TILE * TILE};
            asking x = {.rows = halves,
                        .q_features = halves + TILE * dim,
                        .q_tokens = halves + 2 * TILE * dim,
                        .o_features = halves + 3 * TILE * dim,
                        .o_tokens = halves + 4 * TILE * dim,
                        .dq = sums};
#pragma omp for schedule(dynamic, 1) collapse(3)
            for (int64_t w = 0; w < segments; w++)
                for (int64_t g = 0; g < groups; g++)
                    for (int64_t piece = 0; piece < pieces; piece++) {
                        int64_t length = starts[w + 1] - starts[w], tiles = (length + TILE - 1) / TILE;
                        int64_t place = g * size + offsets[w] * dim, own = piece * groups * size + place;
                        for (int64_t turn = 0; (x.first = tile_of(tiles, piece, pieces, turn) * TILE) >= 0; turn++)
                            for (int64_t h = g * share; h < (g + 1) * share; h++) {
                                int64_t n = least(TILE, length - x.first), first = starts[w] + x.first;
                                int64_t at = (first * heads + h) * dim;
                                ask(&x, q + first * q_row + h * dim, q_row, out + at, dout + at, heads * dim,
                                    lse + h * tokens + first, n, dim, cos, sin, turns, first);
                                walk_back(&x, to_k + own, to_v + own, turn > 0 || h > g * share, k_rows + place,
                                          k_tokens + place, v_rows + place, dim, scale, &t);
                                scatter(dq + at, heads * dim, sums, n, dim, scale, cos, sin, turns, first);
                            }
                    }
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t w = 0; w < segments; w++)
                for (int64_t g = 0; g < groups; g++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, tiles = (n + TILE - 1) / TILE;
                    int64_t place = g * size + offsets[w] * dim, to = (first * groups + g) * dim;
                    float *sum_k = to_k + place, *sum_v = to_v + place;
                    for (int64_t piece = 1; piece < least(pieces, tiles); piece++) {
                        int64_t numbers = (tiles - piece) * TILE * dim; /* what its first tile, the latest, sees */
                        add_to(sum_k, sum_k + piece * groups * size, numbers);
                        add_to(sum_v, sum_v + piece * groups * size, numbers);
                    }
                    scatter(dk + to, groups * dim, sum_k, n, dim, scale, cos, sin, turns, first);
                    scatter(dv + to, groups * dim, sum_v, n, dim, 1.0f, NULL, NULL, 1, first);
                }
        }
        free(halves), free(sums);
    }
    free(k_rows), free(to_k), free(to_v), free(offsets);
    return bad;
}
