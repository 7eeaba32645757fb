/* Causal attention over packed works, forward and backward, after FlashAttention-2 (arXiv 2307.08691): tile by tile, no
 * matrix of all scores.  Products in bf16 with float32 sums (vdpbf16ps), softmax in float32, rotary positions on the way
 * in and out.
 *
 * Names: a row of tokens holds `segments` works, work i from starts[i] up to starts[i + 1]; no work sees another.  A work
 * is padded to whole groups of 16 tokens, so that its result is the same, bit for bit, wherever it stands in a row.
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
#define KEYS_AT_ONCE 128 /* keys that are held while all queries pass by on the way back: what the second cache holds */
#define LOG2E 1.44269504088896341f

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

/* C (4 x 16 * NG) (+)= A (4 x 2 * pairs) B; one function for each NG, so that the sums stay in registers */
#define PRODUCT(NG)                                                                                                   \
    AVX512BF16 static inline __attribute__((always_inline)) void product_##NG(                                        \
        float *c, int64_t c_row, const bf16 *a, int64_t a_row, const bf16 *b, int64_t b_pair, int64_t b_group,        \
        int64_t pairs, int add) {                                                                                     \
        __m512 sum[4][NG];                                                                                            \
        for (int i = 0; i < 4; i++)                                                                                   \
            for (int j = 0; j < NG; j++) sum[i][j] = add ? _mm512_loadu_ps(c + i * c_row + 16 * j) : _mm512_setzero_ps(); \
        for (int64_t p = 0; p < pairs; p++) {                                                                         \
            __m512bh right[NG];                                                                                       \
            for (int j = 0; j < NG; j++) right[j] = (__m512bh)_mm512_loadu_si512(b + p * b_pair + j * b_group);       \
            for (int i = 0; i < 4; i++) {                                                                             \
                int32_t two;                                                                                          \
                memcpy(&two, a + i * a_row + 2 * p, 4);                                                               \
                __m512bh left = (__m512bh)_mm512_set1_epi32(two);                                                     \
                for (int j = 0; j < NG; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], left, right[j]);                 \
            }                                                                                                         \
        }                                                                                                             \
        for (int i = 0; i < 4; i++)                                                                                   \
            for (int j = 0; j < NG; j++) _mm512_storeu_ps(c + i * c_row + 16 * j, sum[i][j]);                         \
    }
PRODUCT(1)
PRODUCT(2)
PRODUCT(3)
PRODUCT(4)

/* C (rows x 16 * groups) (+)= A (rows x 2 * pairs) B; rows a multiple of 4 */
AVX512BF16 static void multiply(float *c, int64_t c_row, const bf16 *a, int64_t a_row, const bf16 *b, int64_t b_pair,
                                int64_t b_group, int64_t rows, int64_t groups, int64_t pairs, int add) {
    for (int64_t g = 0; g < groups; g += 4, c += 64, b += 4 * b_group)
        for (int64_t i = 0; i < rows; i += 4) {
            float *to = c + i * c_row;
            const bf16 *from = a + i * a_row;
            switch (least(4, groups - g)) {
            case 4: product_4(to, c_row, from, a_row, b, b_pair, b_group, pairs, add); break;
            case 3: product_3(to, c_row, from, a_row, b, b_pair, b_group, pairs, add); break;
            case 2: product_2(to, c_row, from, a_row, b, b_pair, b_group, pairs, add); break;
            default: product_1(to, c_row, from, a_row, b, b_pair, b_group, pairs, add); break;
            }
        }
}

/* Rows as they lie, turned by their positions where there are any, into (padded n, dim); the padding is zero. */
AVX512BF16 static void gather(bf16 *to, const bf16 *from, int64_t row, int64_t n, int64_t dim, const bf16 *cos,
                              const bf16 *sin, int64_t turns, int64_t first) {
    int64_t half = dim / 2;
    for (int64_t t = 0; t < n; t++, to += dim, from += row) {
        if (cos == NULL) {
            memcpy(to, from, dim * sizeof(bf16));
            continue;
        }
        const bf16 *c = cos + (first + t) % turns * dim, *s = sin + (first + t) % turns * dim;
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
    int64_t half = dim / 2;
    __m512 by = _mm512_set1_ps(scale);
    for (int64_t t = 0; t < n; t++, to += row, from += dim) {
        if (cos == NULL) {
            for (int64_t d = 0; d < dim; d += 16) store_bf16(to + d, _mm512_mul_ps(by, _mm512_loadu_ps(from + d)));
            continue;
        }
        const bf16 *c = cos + (first + t) % turns * dim, *s = sin + (first + t) % turns * dim;
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
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                           5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
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

/* float32 (rows, n) to (n, rows), both multiples of 16 */
AVX512 static void transpose(float *to, const float *from, int64_t rows, int64_t n) {
    for (int64_t i = 0; i < rows; i += 16)
        for (int64_t t = 0; t < n; t += 16) {
            __m512i r[16];
            for (int j = 0; j < 16; j++) r[j] = _mm512_loadu_si512(from + (i + j) * n + t);
            mirror(r);
            for (int j = 0; j < 16; j++) _mm512_storeu_si512(to + (t + j) * rows + i, r[j]);
        }
}

/* Where the padded works begin in a buffer of padded tokens: offsets (segments + 1). */
static void lay_out(int64_t *offsets, const int64_t *starts, int64_t segments) {
    offsets[0] = 0;
    for (int64_t i = 0; i < segments; i++) offsets[i + 1] = offsets[i] + padded(starts[i + 1] - starts[i]);
}

/* A tile of scores of up to 64 queries to probabilities in `p` (rows, 64), bf16.  Of `scores` (rows, 64), in units of
 * log 2 when times `scale`, the first `groups` sixteens count; `ahead` is how many keys past the tile's first one the
 * first query may see.  `highest` (rows), `total` (rows, 16) and `out` (rows, dim) are brought up to date. */
AVX512BF16 static void soften(bf16 *p, const float *scores, float *highest, float *total, float *out, int64_t rows,
                              int64_t groups, int64_t dim, int64_t ahead, float scale) {
    const __m512 by = _mm512_set1_ps(scale), lowest = _mm512_set1_ps(-INFINITY);
    for (int64_t i = 0; i < rows; i++, scores += TILE, p += TILE, out += dim, total += 16) {
        __m512 s[4], top = lowest;
        for (int64_t g = 0; g < groups; g++) {
            int64_t seen = ahead + i + 1 - 16 * g;
            __mmask16 m = seen <= 0 ? 0 : first_lanes(seen);
            s[g] = _mm512_mask_mul_ps(lowest, m, _mm512_loadu_ps(scores + 16 * g), by);
            top = _mm512_max_ps(top, s[g]);
        }
        __m512 sum = _mm512_loadu_ps(total), most = _mm512_set1_ps(highest[i]);
        if (_mm512_cmp_ps_mask(top, most, _CMP_NLE_UQ)) {
            /* the sums so far counted from a lower maximum */
            float now = _mm512_reduce_max_ps(top);
            __m512 less = _mm512_set1_ps(highest[i] == -INFINITY ? 0.0f : exp2f(highest[i] - now));
            sum = _mm512_mul_ps(sum, less);
            for (int64_t d = 0; d < dim; d += 16)
                _mm512_storeu_ps(out + d, _mm512_mul_ps(less, _mm512_loadu_ps(out + d)));
            highest[i] = now;
            most = _mm512_set1_ps(now);
        }
        for (int64_t g = 0; g < groups; g++) {
            __m512 e = power_of_two(_mm512_sub_ps(s[g], most));
            sum = _mm512_add_ps(sum, e);
            store_bf16(p + 16 * g, e);
        }
        _mm512_storeu_ps(total, sum);
    }
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
        bf16 *p = room(TILE * TILE * sizeof(bf16));
        float *scores = room(TILE * TILE * sizeof(float)), *sums = room(TILE * dim * sizeof(float));
        float highest[TILE], total[TILE * 16];
        if (rows == NULL || p == NULL || scores == NULL || sums == NULL) {
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
                for (int64_t key = 0; key < at + n; key += TILE) {
                    int64_t sixteens = (least(TILE, at + n - key) + 15) / 16;
                    multiply(scores, TILE, rows, dim, keys + place + key * dim, 32, 16 * dim, padded(n), sixteens,
                             dim / 2, 0);
                    soften(p, scores, highest, total, sums, padded(n), sixteens, dim, at - key, scale * LOG2E);
                    multiply(sums, dim, p, TILE, values + place + key * dim, 2 * dim, 32, padded(n), dim / 16,
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
        free(rows), free(p), free(scores), free(sums);
    }
    free(keys), free(values), free(offsets);
    return bad;
}

/* A tile's probabilities and their gradients, both transposed: rows are keys, columns queries.
 * scores, dprob: (rows, 64) float32 in.  prob, dscore: (rows, 64) bf16 out; pairs: [rows / 2][64][2], dscore again. */
AVX512BF16 static void tile_gradient(bf16 *prob, bf16 *dscore, bf16 *pairs, const float *scores, const float *dprob,
                                     const float *lse, const float *inner, int64_t rows, int64_t groups, int64_t ahead,
                                     float scale) {
    const __m512 by = _mm512_set1_ps(scale * LOG2E);
    for (int64_t i = 0; i < rows; i += 2)
        for (int64_t g = 0; g < groups; g++) {
            __m512 p[2], d[2];
            __m512 from = _mm512_loadu_ps(lse + 16 * g), minus = _mm512_loadu_ps(inner + 16 * g);
            for (int j = 0; j < 2; j++) {
                int64_t at = (i + j) * TILE + 16 * g;
                /* key i + j is seen by the queries from column `hidden` on */
                int64_t hidden = i + j - ahead - 16 * g;
                __mmask16 m = hidden <= 0 ? 0xFFFF : (__mmask16)~first_lanes(hidden);
                p[j] = _mm512_maskz_mov_ps(m, power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(scores + at), by, from)));
                d[j] = _mm512_maskz_mul_ps(m, p[j], _mm512_sub_ps(_mm512_loadu_ps(dprob + at), minus));
                store_bf16(prob + at, p[j]);
            }
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(d[1], d[0]);
            _mm256_storeu_si256((__m256i *)(dscore + i * TILE + 16 * g), _mm512_castsi512_si256(both));
            _mm256_storeu_si256((__m256i *)(dscore + (i + 1) * TILE + 16 * g), _mm512_extracti64x4_epi64(both, 1));
            _mm512_storeu_si512(pairs + (i * TILE + 32 * g), interleaved(both));
        }
}

/* What the backward pass reads of one head of queries, or of one group of keys, of all works one behind the other. */
typedef struct {
    bf16 *rows, *features, *tokens;
} packed;

/* Every second tile of keys of one work under one head: dq (dim, n) transposed, dk and dv (n, dim), all float32. */
typedef struct {
    float *scores, *dprob;
    bf16 *prob, *dscore, *pairs;
} scratch;

AVX512BF16 static void walk_back(float *dq, float *dk, float *dv, const packed *q, const packed *dout, const packed *k,
                                 const bf16 *k_across, const packed *v, const float *lse, const float *inner, int64_t n,
                                 int64_t dim, int64_t begin, int64_t step, float scale, scratch *s) {
    for (int64_t first = begin * KEYS_AT_ONCE; first < n; first += step * KEYS_AT_ONCE)
        for (int64_t query = first; query < n; query += TILE)
            for (int64_t key = first; key < least(n, first + KEYS_AT_ONCE) && key <= query; key += TILE) {
                int64_t keys = least(TILE, n - key), sixteens = least(TILE, n - query) / 16;
                multiply(s->scores, TILE, k->rows + key * dim, dim, q->features + query * dim, 32, 16 * dim, keys,
                         sixteens, dim / 2, 0);
                multiply(s->dprob, TILE, v->rows + key * dim, dim, dout->features + query * dim, 32, 16 * dim, keys,
                         sixteens, dim / 2, 0);
                tile_gradient(s->prob, s->dscore, s->pairs, s->scores, s->dprob, lse + query, inner + query, keys,
                              sixteens, query - key, scale);
                multiply(dv + key * dim, dim, s->prob, TILE, dout->tokens + query * dim, 2 * dim, 32, keys, dim / 16,
                         8 * sixteens, query > key);
                multiply(dk + key * dim, dim, s->dscore, TILE, q->tokens + query * dim, 2 * dim, 32, keys, dim / 16,
                         8 * sixteens, query > key);
                multiply(dq + query, n, k_across + key, n, s->pairs, 2 * TILE, 32, dim, sixteens, keys / 2, 1);
            }
}

AVX512BF16 static float dot(const bf16 *a, const bf16 *b, int64_t dim) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < dim; d += 16) sum = _mm512_fmadd_ps(load_bf16(a + d), load_bf16(b + d), sum);
    return _mm512_reduce_add_ps(sum);
}

/* dq, dk, dv as q, k, v, each with rows one behind the other.  Returns 0, or 1 where there was no memory. */
AVX512BF16 int64_t quire_attention_backward(const bf16 *q, int64_t q_row, const bf16 *k, int64_t k_row, const bf16 *v,
                                            int64_t v_row, const bf16 *cos, const bf16 *sin, int64_t turns,
                                            const int64_t *starts, int64_t segments, int64_t heads, int64_t groups,
                                            int64_t dim, float scale, const bf16 *out, const float *lse,
                                            const bf16 *dout, bf16 *dq, bf16 *dk, bf16 *dv) {
    int64_t tokens = starts[segments], share = heads / groups, bad = 0;
    /* Few heads are shared out badly among threads: then every head is two pieces of work, whatever the threads. */
    int64_t pieces = heads < 16 ? 2 : 1;
    int64_t *offsets = room((segments + 1) * sizeof(int64_t));
    if (offsets == NULL) return 1;
    lay_out(offsets, starts, segments);
    int64_t all = offsets[segments], size = all * dim;
    bf16 *halves = room((5 * heads + 3 * groups) * size * sizeof(bf16));
    float *wholes = room(((pieces + 2) * heads * size + 2 * heads * all) * sizeof(float));
    if (halves == NULL || wholes == NULL) bad = 1;
    bf16 *q_features = halves, *q_tokens = q_features + heads * size, *o_features = q_tokens + heads * size;
    bf16 *o_tokens = o_features + heads * size, *k_rows = o_tokens + heads * size, *v_rows = k_rows + groups * size;
    bf16 *k_across = v_rows + groups * size;
    float *to_q = wholes, *to_k = to_q + pieces * heads * size, *to_v = to_k + heads * size;
    float *levels = to_v + heads * size, *inner = levels + heads * all;
    const int64_t go = !bad;
#pragma omp parallel
    if (go) {
        bf16 *rows = room(size * sizeof(bf16));
        float *turned = room(size * sizeof(float));
        scratch s = {room(TILE * TILE * 4), room(TILE * TILE * 4), room(TILE * TILE * 2), room(TILE * TILE * 2),
                     room(TILE * TILE * 2)};
        if (rows == NULL || turned == NULL || !s.scores || !s.dprob || !s.prob || !s.dscore || !s.pairs) {
#pragma omp atomic write
            bad = 1;
        }
#pragma omp barrier
        if (!bad) {
#pragma omp for schedule(dynamic, 1) collapse(2) nowait
            for (int64_t h = 0; h < heads; h++)
                for (int64_t w = 0; w < segments; w++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, m = padded(n);
                    int64_t place = h * size + offsets[w] * dim, line = h * all + offsets[w];
                    gather(rows, q + first * q_row + h * dim, q_row, n, dim, cos, sin, turns, first);
                    by_features(q_features + place, rows, m, dim);
                    by_tokens(q_tokens + place, rows, m, dim);
                    gather(rows, dout + (first * heads + h) * dim, heads * dim, n, dim, NULL, NULL, 1, first);
                    by_features(o_features + place, rows, m, dim);
                    by_tokens(o_tokens + place, rows, m, dim);
                    for (int64_t i = 0; i < m; i++) {
                        int64_t from = ((first + i) * heads + h) * dim;
                        levels[line + i] = i < n ? lse[h * tokens + first + i] : INFINITY;
                        inner[line + i] = i < n ? dot(out + from, dout + from, dim) : 0.0f;
                    }
                }
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t g = 0; g < groups; g++)
                for (int64_t w = 0; w < segments; w++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, m = padded(n), place = g * size + offsets[w] * dim;
                    bf16 *keys = k_rows + place, *across = k_across + place;
                    gather(keys, k + first * k_row + g * dim, k_row, n, dim, cos, sin, turns, first);
                    for (int64_t d = 0; d < dim; d++)
                        for (int64_t t = 0; t < m; t++) across[d * m + t] = keys[t * dim + d];
                    gather(v_rows + place, v + first * v_row + g * dim, v_row, n, dim, NULL, NULL, 1, first);
                }
#pragma omp for schedule(dynamic, 1) collapse(3)
            for (int64_t h = 0; h < heads; h++)
                for (int64_t w = 0; w < segments; w++)
                    for (int64_t piece = 0; piece < pieces; piece++) {
                        int64_t m = padded(starts[w + 1] - starts[w]), at = offsets[w] * dim;
                        int64_t place = h * size + at, shared = h / share * size + at, line = h * all + offsets[w];
                        packed queries = {NULL, q_features + place, q_tokens + place};
                        packed results = {NULL, o_features + place, o_tokens + place};
                        packed keys = {k_rows + shared, NULL, NULL}, values = {v_rows + shared, NULL, NULL};
                        float *to = to_q + (piece * heads) * size + place;
                        memset(to, 0, m * dim * sizeof(float));
                        walk_back(to, to_k + place, to_v + place, &queries, &results, &keys, k_across + shared, &values,
                                  levels + line, inner + line, m, dim, piece, pieces, scale, &s);
                    }
#pragma omp for schedule(dynamic, 1) collapse(2) nowait
            for (int64_t h = 0; h < heads; h++)
                for (int64_t w = 0; w < segments; w++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, m = padded(n);
                    float *sum = to_q + h * size + offsets[w] * dim;
                    for (int64_t piece = 1; piece < pieces; piece++)
                        for (int64_t i = 0; i < m * dim; i++) sum[i] += sum[piece * heads * size + i];
                    transpose(turned, sum, dim, m);
                    scatter(dq + (first * heads + h) * dim, heads * dim, turned, n, dim, scale, cos, sin, turns, first);
                }
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t g = 0; g < groups; g++)
                for (int64_t w = 0; w < segments; w++) {
                    int64_t first = starts[w], n = starts[w + 1] - first;
                    int64_t place = g * share * size + offsets[w] * dim, to = (first * groups + g) * dim;
                    for (int64_t h = 1; h < share; h++)
                        for (int64_t i = 0; i < n * dim; i++) {
                            to_k[place + i] += to_k[place + h * size + i];
                            to_v[place + i] += to_v[place + h * size + i];
                        }
                    scatter(dk + to, groups * dim, to_k + place, n, dim, scale, cos, sin, turns, first);
                    scatter(dv + to, groups * dim, to_v + place, n, dim, 1.0f, NULL, NULL, 1, first);
                }
        }
        free(rows), free(turned), free(s.scores), free(s.dprob), free(s.prob), free(s.dscore), free(s.pairs);
    }
    free(halves), free(wholes), free(offsets);
    return bad;
}
