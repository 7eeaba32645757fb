/* LoRA's two small products beside a frozen layer, in float32, with dropout that is computed and never stored.
 *
 * Shapes: x (T, K) and y (T, N) bf16, first (r, K) and second (N, r) float32, h = drop(x) first' (T, R), R = r rounded
 * up to a multiple of four.  The two matrices are packed before use, so that a loop reads them one behind the other:
 *   for dots    blocks of 8 ranks (the last may have 4), in each for every 16 columns [rank][16]
 *   for spread  panels of 64 columns, in each [rank][64]
 * Sums over tokens are made column by column, over blocks of tokens in their order.
 */
#include "kernels.h"

enum { STEP = 512, GROUP = 12, BLOCK = 128, STRIP = 32, PANEL = 64, RANKS = 32 };

/* What is dropped of a matrix of bf16: a column of a row where 16 random bits are below `threshold`. */
typedef struct {
    uint64_t key;
    int64_t threshold, width; /* out of 65536; columns, beyond which nothing is read */
} Drop;

/* ---- dropout: see keep_mask in low_rank.py, which computes the same bits ---- */

/* Steele, Lea and Flood's SplitMix64 */
static inline uint64_t mix64(uint64_t z) {
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint64_t row_key(const Drop *drop, int64_t row) { return mix64(drop->key ^ (uint64_t)row); }

/* bit i: column 32 * strip + i of a row is kept.  Wellons' 32-bit mixer, half of the row's key before, half within */
AVX512 INLINE uint32_t kept(const Drop *drop, uint64_t key, int64_t strip) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i z = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)((uint32_t)key + (uint32_t)(16 * strip))));
    z = _mm512_xor_si512(z, _mm512_srli_epi32(z, 16));
    z = _mm512_mullo_epi32(z, _mm512_set1_epi32(0x21F0AAAD));
    z = _mm512_add_epi32(z, _mm512_set1_epi32((int)(key >> 32)));
    z = _mm512_xor_si512(z, _mm512_srli_epi32(z, 15));
    z = _mm512_mullo_epi32(z, _mm512_set1_epi32((int)0xD35A2D97u));
    z = _mm512_xor_si512(z, _mm512_srli_epi32(z, 15));
    return _mm512_cmpge_epu16_mask(z, _mm512_set1_epi16((short)drop->threshold));
}

/* the bits of columns from..to-1 of one row; `from` is a multiple of 32 */
AVX512 static inline void keep_row(const Drop *drop, int64_t row, int64_t from, int64_t to, uint32_t *keep) {
    uint64_t key = row_key(drop, row);
    for (int64_t c = from; c < to; c += STRIP)
        *keep++ = (uint32_t)first_lanes(to - c) & (drop->threshold ? kept(drop, key, c / STRIP) : ~0u);
}

/* ---- packing: element (j, c) is w[j * sj + c * sc] * scale, nought beyond r and n ---- */

static void pack_for_dots(const float *w, int64_t sj, int64_t sc, int64_t r, int64_t n, float scale, float *packed) {
    int64_t ranks = up_to(r, 4), steps = over(n, 16);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < steps; i++)
        for (int64_t j0 = 0; j0 < ranks; j0 += 8) {
            int64_t height = least(8, ranks - j0);
            float *to = packed + j0 * 16 * steps + i * height * 16;
            for (int64_t j = 0; j < height; j++)
                for (int64_t l = 0; l < 16; l++) {
                    int64_t c = 16 * i + l;
                    to[16 * j + l] = j0 + j < r && c < n ? w[(j0 + j) * sj + c * sc] * scale : 0.0f;
                }
        }
}

static void pack_for_spread(const float *w, int64_t sj, int64_t sc, int64_t r, int64_t n, float scale, float *packed) {
#pragma omp for schedule(static)
    for (int64_t p = 0; p < over(n, PANEL); p++)
        for (int64_t j = 0; j < r; j++)
            for (int64_t l = 0; l < PANEL; l++) {
                int64_t c = PANEL * p + l;
                packed[(p * r + j) * PANEL + l] = c < n ? w[j * sj + c * sc] * scale : 0.0f;
            }
}

/* ---- dots: rows of bf16 times packed ranks ---- */

/* the bits of the i-th sixteen columns */
static inline __mmask16 half_of(const uint32_t *keep, int64_t i) {
    uint16_t bits;
    memcpy(&bits, (const char *)keep + 2 * i, 2);
    return bits;
}

/* sums (m, J) += m rows of x, where kept, times J ranks over `steps` times 16 columns */
AVX512 INLINE void dots_of(const int m, const int J, const bf16 *x, int64_t ld, const uint32_t *keep, const float *w,
                           int64_t steps, __m512 *sums) {
    __m512 s[3][8];
    UNROLL for (int a = 0; a < m; a++) UNROLL for (int j = 0; j < J; j++) s[a][j] = sums[a * RANKS + j];
    for (int64_t i = 0; i < steps; i++) {
        __m512 v[3];
        UNROLL for (int a = 0; a < m; a++)
            v[a] = load_bf16_part(x + a * ld + 16 * i, half_of(keep + a * (STEP / 32), i));
        UNROLL for (int j = 0; j < J; j++) {
            __m512 u = _mm512_loadu_ps(w + (i * J + j) * 16);
            UNROLL for (int a = 0; a < m; a++) s[a][j] = _mm512_fmadd_ps(v[a], u, s[a][j]);
        }
    }
    UNROLL for (int a = 0; a < m; a++) UNROLL for (int j = 0; j < J; j++) sums[a * RANKS + j] = s[a][j];
}

/* four numbers: the sums of the lanes of four vectors */
AVX512 static inline void add_lanes(const __m512 *sums, float *four) {
    __m256 half[4];
    UNROLL for (int j = 0; j < 4; j++)
        half[j] = _mm256_add_ps(_mm512_castps512_ps256(sums[j]), _mm512_extractf32x8_ps(sums[j], 1));
    __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]), _mm256_hadd_ps(half[2], half[3]));
    _mm_storeu_ps(four, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
}

/* h (rows, R) = drop(x) (rows from `row` on) times the packed matrix; at most GROUP rows */
AVX512 static void dots(const bf16 *x, const Drop *drop, int64_t row, int64_t rows, const float *packed, int64_t ranks,
                        float *h) {
    int64_t n = drop->width, all = over(n, 16);
    for (int64_t r0 = 0; r0 < ranks; r0 += RANKS) {
        __m512 sums[GROUP * RANKS];
        int64_t r1 = least(r0 + RANKS, ranks);
        for (int64_t t = 0; t < rows; t++)
            for (int64_t j = 0; j < r1 - r0; j++) sums[t * RANKS + j] = _mm512_setzero_ps();
        for (int64_t c = 0; c < n; c += STEP) {
            uint32_t keep[GROUP][STEP / 32];
            int64_t steps = over(least(STEP, n - c), 16);
            for (int64_t t = 0; t < rows; t++) keep_row(drop, row + t, c, least(c + STEP, n), keep[t]);
            for (int64_t j = r0; j < r1; j += 8) {
                int64_t height = least(8, ranks - j);
                const float *w = packed + j * 16 * all + c * height;
                for (int64_t t = 0; t < rows;) {
                    const bf16 *from = x + t * n + c;
                    __m512 *to = sums + t * RANKS + j - r0;
                    int three = rows - t >= 3;
                    if (height == 8 && three) dots_of(3, 8, from, n, keep[t], w, steps, to);
                    else if (height == 8) dots_of(1, 8, from, n, keep[t], w, steps, to);
                    else if (three) dots_of(3, 4, from, n, keep[t], w, steps, to);
                    else dots_of(1, 4, from, n, keep[t], w, steps, to);
                    t += three ? 3 : 1;
                }
            }
        }
        for (int64_t t = 0; t < rows; t++)
            for (int64_t j = r0; j < r1; j += 4) add_lanes(sums + t * RANKS + j - r0, h + t * ranks + j);
    }
}

/* ---- spread: a few numbers for each token over many columns ---- */

/* m rows of 64 columns: y (+)= h times a panel, where kept (null: everywhere); `columns` of the 64 exist */
AVX512BF16 INLINE void spread_of(const int m, const int add, bf16 *y, int64_t ld, const float *h, int64_t ranks,
                                 const float *panel, int64_t r, const uint32_t *keep, int64_t columns) {
    __m512 s[6][4];
    UNROLL for (int a = 0; a < m; a++) UNROLL for (int k = 0; k < 4; k++) s[a][k] = _mm512_setzero_ps();
    for (int64_t j = 0; j < r; j++) {
        __m512 u[4];
        UNROLL for (int k = 0; k < 4; k++) u[k] = _mm512_loadu_ps(panel + j * PANEL + 16 * k);
        UNROLL for (int a = 0; a < m; a++) {
            __m512 v = _mm512_set1_ps(h[a * ranks + j]);
            UNROLL for (int k = 0; k < 4; k++) s[a][k] = _mm512_fmadd_ps(v, u[k], s[a][k]);
        }
    }
    UNROLL for (int a = 0; a < m; a++) UNROLL for (int k = 0; k < 4; k++) {
        bf16 *to = y + a * ld + 16 * k;
        __mmask16 part = first_lanes(columns - 16 * k);
        __m512 value = s[a][k];
        if (keep) value = _mm512_maskz_mov_ps((__mmask16)(keep[2 * a + k / 2] >> (16 * (k % 2))), value);
        if (add) value = _mm512_add_ps(load_bf16_part(to, part), value);
        store_bf16_part(to, value, part);
    }
}

/* y (rows, width) += h (rows, R) times the packed matrix */
AVX512BF16 static void spread_onto(bf16 *y, int64_t width, int64_t rows, const float *h, const float *packed,
                                   int64_t r) {
    int64_t ranks = up_to(r, 4);
    for (int64_t t = 0; t < rows;) {
        int six = rows - t >= 6;
        for (int64_t c = 0; c < width; c += PANEL) {
            bf16 *to = y + t * width + c;
            if (six) spread_of(6, 1, to, width, h + t * ranks, ranks, packed + c * r, r, NULL, width - c);
            else spread_of(1, 1, to, width, h + t * ranks, ranks, packed + c * r, r, NULL, width - c);
        }
        t += six ? 6 : 1;
    }
}

/* dx (rows, width) (+)= h (rows, R) times the packed matrix, nought where dropped */
AVX512BF16 static void spread(bf16 *dx, int add, const Drop *drop, int64_t row, int64_t rows, const float *h,
                              const float *packed, int64_t r) {
    int64_t ranks = up_to(r, 4), width = drop->width;
    for (int64_t t = 0; t < rows;) {
        int64_t m = rows - t >= 6 ? 6 : 1;
        uint64_t keys[6];
        for (int64_t a = 0; a < m; a++) keys[a] = row_key(drop, row + t + a);
        for (int64_t c = 0; c < width; c += PANEL) {
            uint32_t keep[12];
            for (int64_t a = 0; a < m; a++) {
                keep[2 * a] = drop->threshold ? kept(drop, keys[a], c / STRIP) : ~0u;
                keep[2 * a + 1] = drop->threshold ? kept(drop, keys[a], c / STRIP + 1) : ~0u;
            }
            bf16 *to = dx + t * width + c;
            const float *from = h + t * ranks, *panel = packed + c * r;
            if (m == 6 && add) spread_of(6, 1, to, width, from, ranks, panel, r, keep, width - c);
            else if (m == 6) spread_of(6, 0, to, width, from, ranks, panel, r, keep, width - c);
            else spread_of(1, add, to, width, from, ranks, panel, r, keep, width - c);
        }
        t += m;
    }
}

/* ---- sums over tokens ---- */

/* sums (J, 32) = (or +=) small' (J, rows) times a strip (rows, 32) */
AVX512 INLINE void columns_of(const int J, const float *strip, const float *small, int64_t ranks, int64_t rows,
                              int begin, float *sums) {
    __m512 s[8][2];
    UNROLL for (int j = 0; j < J; j++) s[j][0] = s[j][1] = _mm512_setzero_ps();
    for (int64_t t = 0; t < rows; t++) {
        __m512 low = _mm512_load_ps(strip + t * STRIP), high = _mm512_load_ps(strip + t * STRIP + 16);
        UNROLL for (int j = 0; j < J; j++) {
            __m512 v = _mm512_set1_ps(small[t * ranks + j]);
            s[j][0] = _mm512_fmadd_ps(v, low, s[j][0]);
            s[j][1] = _mm512_fmadd_ps(v, high, s[j][1]);
        }
    }
    UNROLL for (int j = 0; j < J; j++) UNROLL for (int k = 0; k < 2; k++) {
        float *to = sums + j * STRIP + 16 * k;
        _mm512_storeu_ps(to, begin ? s[j][k] : _mm512_add_ps(_mm512_loadu_ps(to), s[j][k]));
    }
}

/* sums (strips, R, 32) += small' times drop(x), over at most BLOCK rows from `row` on; those from 0 on begin them */
AVX512 static void columns(const bf16 *x, const Drop *drop, const uint64_t *keys, int64_t row, int64_t rows,
                           const float *small, int64_t ranks, float *sums) {
    int64_t width = drop->width;
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < over(width, STRIP); i++) {
        float strip[BLOCK * STRIP] __attribute__((aligned(64)));
        uint32_t exist = (uint32_t)first_lanes(width - i * STRIP);
        for (int64_t t = 0; t < rows; t++) {
            const bf16 *from = x + (row + t) * width + i * STRIP;
            uint32_t keep = exist & (drop->threshold ? kept(drop, keys[row + t], i) : ~0u);
            /* The next strip: no processor foresees jumps from row to row. */
            _mm_prefetch((const char *)(from + STRIP), _MM_HINT_T1);
            _mm512_store_ps(strip + t * STRIP, load_bf16_part(from, (__mmask16)keep));
            _mm512_store_ps(strip + t * STRIP + 16, load_bf16_part(from + 16, (__mmask16)(keep >> 16)));
        }
        for (int64_t j = 0; j < ranks; j += 8) {
            float *to = sums + (i * ranks + j) * STRIP;
            if (ranks - j >= 8) columns_of(8, strip, small + row * ranks + j, ranks, rows, row == 0, to);
            else columns_of(4, strip, small + row * ranks + j, ranks, rows, row == 0, to);
        }
    }
}

/* out: element (j, c) at j * sj + c * sc = scale * sums */
static void give(const float *sums, int64_t r, int64_t n, float scale, float *out, int64_t sj, int64_t sc) {
    int64_t ranks = up_to(r, 4);
#pragma omp for schedule(static) nowait
    for (int64_t strip = 0; strip < over(n, STRIP); strip++)
        for (int64_t j = 0; j < r; j++)
            for (int64_t c = strip * STRIP; c < least(n, (strip + 1) * STRIP); c++)
                out[j * sj + c * sc] = scale * sums[(strip * ranks + j) * STRIP + c % STRIP];
}

/* ---- what Python calls ---- */

/* y += scale * h second', h = factor * drop(x) first'.  room: of first for dots, of second for spread */
AVX512BF16 void low_rank_forward(bf16 *y, const bf16 *x, const float *first, const float *second, float *h,
                                 float *room_first, float *room_second, int64_t tokens, int64_t wide, int64_t out,
                                 int64_t r, int64_t seed, int64_t threshold, float factor, float scale) {
    const Drop drop = {mix64((uint64_t)seed), threshold, wide};
    int64_t ranks = up_to(r, 4);
#pragma omp parallel if (tokens > GROUP)
    {
        pack_for_dots(first, wide, 1, r, wide, factor, room_first);
        pack_for_spread(second, 1, r, r, out, scale, room_second);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tokens; t += GROUP) {
            int64_t rows = least(GROUP, tokens - t);
            dots(x + t * wide, &drop, t, rows, room_first, ranks, h + t * ranks);
            spread_onto(y + t * out, out, rows, h + t * ranks, room_second, r);
        }
    }
}

/* dh = scale * dy second, dsecond = scale * dy' h, dx = factor * mask * (dh first), dfirst = factor * dh' drop(x).
 * It is added to dx where `add` is not 0; dx may be null, and so may dfirst and dsecond together.
 * room: of second for dots, of first for spread, of sums */
AVX512BF16 void low_rank_backward(const bf16 *dy, const bf16 *x, const float *first, const float *second,
                                  const float *h, float *dh, bf16 *dx, float *dfirst, float *dsecond,
                                  float *room_second, float *room_first, float *sums_first, float *sums_second,
                                  int64_t *row_keys, int64_t add, int64_t tokens, int64_t wide, int64_t out, int64_t r,
                                  int64_t seed, int64_t threshold, float factor, float scale) {
    const Drop drop = {mix64((uint64_t)seed), threshold, wide}, none = {0, 0, out};
    uint64_t *keys = (uint64_t *)row_keys;
    int64_t ranks = up_to(r, 4);
#pragma omp parallel if (tokens > GROUP)
    {
        pack_for_dots(second, 1, r, r, out, scale, room_second);
        if (dx) pack_for_spread(first, wide, 1, r, wide, factor, room_first);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tokens; t++) keys[t] = row_key(&drop, t);
        for (int64_t start = 0; start < tokens; start += BLOCK) {
            int64_t end = least(start + BLOCK, tokens);
#pragma omp for schedule(static)
            for (int64_t t = start; t < end; t += GROUP) {
                int64_t rows = least(GROUP, end - t);
                dots(dy + t * out, &none, t, rows, room_second, ranks, dh + t * ranks);
                if (dx) spread(dx + t * wide, add != 0, &drop, t, rows, dh + t * ranks, room_first, r);
            }
            if (dfirst) {
                columns(dy, &none, NULL, start, end - start, h, ranks, sums_second);
                columns(x, &drop, keys, start, end - start, dh, ranks, sums_first);
            }
        }
        if (dfirst) {
            give(sums_second, r, out, scale, dsecond, 1, r);
            give(sums_first, r, wide, factor, dfirst, wide, 1);
        }
    }
}
