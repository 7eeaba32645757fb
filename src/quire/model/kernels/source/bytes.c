/* Whole-number products: rows of activations rounded to 8 bits, times weights in 8 bits, back to bf16.
 *
 * The processor multiplies unsigned by signed bytes (vpdpbusd).  The weights are the unsigned ones, raised by 128 while
 * they are brought into the order that it wants; 128 times the sum of a row's codes is taken off again at the end.
 * Nothing saturates, and what overflows on the way comes back: the sums are those of whole numbers, exactly.
 *
 * Blocks: a tile of 12 rows × 32 outputs stays in registers over the whole sum; a few panels of 32 outputs, reordered,
 * stay in the second cache while rows pass them by.  The weights are read where they lie, in either direction.
 */
#include "kernels.h"

int omp_get_max_threads(void);

enum { TILE = 12, PANEL = 32, STEP = 64, PANELS_BYTES = 256 * 1024, ROWS_BYTES = 6 * 1024 * 1024 };

static const float SMALLEST = 1e-30f; /* a row of zeros has a scale too */

/* sixteen numbers of a row, times those of `by` where it is given */
AVX512VNNI static inline __attribute__((always_inline)) __m512 sixteen(const bf16 *x, const float *by, int64_t at,
                                                                       __mmask16 mask) {
    __m512 v = load_bf16_part(x + at, mask);
    return by == NULL ? v : _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, by + at));
}

/* x / worth, to the nearest whole number: the quotient by `inverse`, and what it leaves divided once more, which makes
 * it that of a division */
AVX512VNNI static inline __m512i divided(__m512 x, __m512 worth, __m512 inverse) {
    const __m512 near = _mm512_mul_ps(x, inverse);
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_fnmadd_ps(near, worth, x), inverse, near));
}

AVX512VNNI static inline __attribute__((always_inline)) void quantise_row(const bf16 *x, const float *by,
                                                                          int64_t columns, int64_t stride,
                                                                          int8_t *codes, float *scale, int32_t *sum) {
    /* As whole numbers the bits of |x| lie in its order, with infinity and then NaN at the end. */
    const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
    const int64_t full = columns / 16 * 16;
    const __mmask16 rest = first_lanes(columns - full);
    __m512i largest = _mm512_and_si512(_mm512_castps_si512(sixteen(x, by, full, rest)), magnitude);
    for (int64_t i = 0; i < full; i += 16) {
        const __m512i v = _mm512_castps_si512(sixteen(x, by, i, 0xFFFF));
        largest = _mm512_max_epi32(largest, _mm512_and_si512(v, magnitude));
    }
    const int32_t bits = _mm512_reduce_max_epi32(largest);
    float worth;
    memcpy(&worth, &bits, sizeof worth);
    worth = (worth < SMALLEST ? SMALLEST : worth) / 127.0f;
    const __m512 w = _mm512_set1_ps(worth), inverse = _mm512_set1_ps(1.0f / worth);
    __m512i total = _mm512_setzero_si512();
    for (int64_t i = 0; i < full; i += 16) {
        const __m512i q = divided(sixteen(x, by, i, 0xFFFF), w, inverse);
        total = _mm512_add_epi32(total, q);
        _mm_storeu_si128((__m128i *)(codes + i), _mm512_cvtsepi32_epi8(q));
    }
    memset(codes + full, 0, (size_t)(stride - full));
    const __m512i q = divided(sixteen(x, by, full, rest), w, inverse);
    _mm_mask_storeu_epi8(codes + full, rest, _mm512_cvtsepi32_epi8(q));
    *scale = worth;
    *sum = _mm512_reduce_add_epi32(_mm512_add_epi32(total, q));
}

/* codes (rows, stride): x (rows, columns), times by (columns) where it is given, over scale (rows); 0 from `columns` on;
 * sums (rows) of the codes.  `stride` is a multiple of 64. */
AVX512VNNI void quire_quantise_rows(const bf16 *x, const float *by, int8_t *codes, float *scale, int32_t *sums,
                                    int64_t rows, int64_t columns, int64_t stride) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        quantise_row(x + r * columns, by, columns, stride, codes + r * stride, scale + r, sums + r);
}

/* a matrix of 16 × 16 four-byte numbers, rows to columns */
AVX512VNNI static inline __attribute__((always_inline)) void transpose(__m512i v[16]) {
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

/* `count` panels of `size` bytes from weights (outputs, terms): for every four terms the four bytes of 32 outputs,
 * raised by 128, one panel behind the other */
AVX512VNNI static void pack_rows(const uint8_t *w, int64_t outputs, int64_t terms, int64_t first, int64_t count,
                                 int64_t size, uint8_t *block) {
    const __m512i raise = _mm512_set1_epi8((char)0x80);
    for (int64_t half = 0; half < 2 * count; half++) {
        uint8_t *to = block + half / 2 * size + half % 2 * 64;
        for (int64_t k = 0; k < terms; k += STEP) {
            const __mmask64 mask = terms - k >= STEP ? ~0ull : (1ull << (terms - k)) - 1;
            __m512i v[16];
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) {
                const int64_t n = first + 16 * half + i;
                const uint8_t *from = w + n * terms + k;
                _mm_prefetch((const char *)(from + 2 * STEP), _MM_HINT_T0);
                v[i] = n < outputs ? _mm512_maskz_loadu_epi8(mask, from) : _mm512_setzero_si512();
            }
            transpose(v);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++)
                _mm512_store_si512(to + (k + 4 * i) * PANEL, _mm512_xor_si512(v[i], raise));
        }
    }
}

/* four terms of 32 outputs, raised by 128 */
AVX512VNNI static inline void pack_four(const uint8_t *w, int64_t outputs, int64_t terms, __mmask32 mask, uint8_t *to) {
    const __m256i raise = _mm256_set1_epi8((char)0x80);
    __m256i v[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m256i row = i < terms ? _mm256_maskz_loadu_epi8(mask, w + i * outputs) : _mm256_setzero_si256();
        v[i] = _mm256_xor_si256(row, raise);
    }
    __m256i low = _mm256_unpacklo_epi8(v[0], v[1]), high = _mm256_unpackhi_epi8(v[0], v[1]);
    __m256i low2 = _mm256_unpacklo_epi8(v[2], v[3]), high2 = _mm256_unpackhi_epi8(v[2], v[3]);
    __m256i out[4] = {_mm256_unpacklo_epi16(low, low2), _mm256_unpackhi_epi16(low, low2),
                      _mm256_unpacklo_epi16(high, high2), _mm256_unpackhi_epi16(high, high2)};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        _mm_store_si128((__m128i *)(to + 16 * i), _mm256_castsi256_si128(out[i]));
        _mm_store_si128((__m128i *)(to + 64 + 16 * i), _mm256_extracti128_si256(out[i], 1));
    }
}

/* `count` panels of `size` bytes from weights (terms, outputs) */
AVX512VNNI static void pack_columns(const uint8_t *w, int64_t outputs, int64_t terms, int64_t first, int64_t count,
                                    int64_t size, uint8_t *block) {
    for (int64_t k = 0; k * PANEL < size; k += 4) {
        for (int64_t q = 0; q < count; q++) {
            const int64_t n = first + q * PANEL, left = outputs - n;
            const uint8_t *from = w + k * outputs + n;
            for (int i = 0; i < 4; i++) _mm_prefetch((const char *)(from + (16 + i) * outputs), _MM_HINT_T0);
            pack_four(from, outputs, terms - k, left >= PANEL ? ~0u : (1u << left) - 1, block + q * size + k * PANEL);
        }
    }
}

typedef struct {
    const int8_t *codes; /* (rows, stride) */
    const float *scale;  /* (rows) */
    const int32_t *sums; /* (rows) */
    int64_t stride, terms;
    const float *worth; /* (outputs) or NULL */
    const float *bias;  /* (outputs) or NULL */
    bf16 *out;          /* (rows, outputs) */
    int64_t add;        /* to what is there */
    int64_t outputs;
} Job;

/* `height` rows from `row` on times one panel */
AVX512VNNI static inline __attribute__((always_inline)) void tile(const int height, const Job *job, const uint8_t *panel,
                                                                  int64_t row, int64_t first) {
    __m512i sum[TILE][2];
#pragma GCC unroll 12
    for (int r = 0; r < height; r++) sum[r][0] = sum[r][1] = _mm512_setzero_si512();
    const int64_t stride = job->stride;
    const int8_t *base = job->codes + row * stride;
    const int8_t *third[4] = {base, base + 3 * stride, base + 6 * stride, base + 9 * stride};
    for (int64_t k = 0; k < job->terms; k += 16) { /* zeros behind the last */
#pragma GCC unroll 4
        for (int64_t i = k; i < k + 16; i += 4) {
            const __m512i low = _mm512_load_si512(panel + i * PANEL), high = _mm512_load_si512(panel + i * PANEL + 64);
#pragma GCC unroll 12
            for (int r = 0; r < height; r++) {
                int32_t four;
                memcpy(&four, third[r / 3] + (r % 3) * stride + i, 4);
                const __m512i a = _mm512_set1_epi32(four);
                sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], low, a);
                sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], high, a);
            }
        }
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const int64_t n = first + 16 * half;
        if (n >= job->outputs) break;
        const __mmask16 mask = first_lanes(job->outputs - n);
        const __m512 worth = job->worth == NULL ? _mm512_set1_ps(1.0f) : _mm512_maskz_loadu_ps(mask, job->worth + n);
        const __m512 bias = job->bias == NULL ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, job->bias + n);
#pragma GCC unroll 12
        for (int r = 0; r < height; r++) {
            const __m512i exact = _mm512_sub_epi32(sum[r][half], _mm512_set1_epi32(128 * job->sums[row + r]));
            __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(exact), _mm512_set1_ps(job->scale[row + r]));
            y = _mm512_add_ps(_mm512_mul_ps(y, worth), bias);
            bf16 *to = job->out + (row + r) * job->outputs + n;
            if (job->add) y = _mm512_add_ps(y, load_bf16_part(to, mask));
            store_bf16_part(to, y, mask);
        }
    }
}

#define SIZE(n) \
    case n: tile(n, job, panel, row, first); break;

AVX512VNNI static void some_rows(const Job *job, const uint8_t *panel, int64_t row, int64_t height, int64_t first) {
    switch (height) {
        SIZE(1) SIZE(2) SIZE(3) SIZE(4) SIZE(5) SIZE(6) SIZE(7) SIZE(8) SIZE(9) SIZE(10) SIZE(11)
    default: tile(TILE, job, panel, row, first);
    }
}

/* out (rows, outputs) = codes (rows, terms) · weights · scale · worth + bias, or += where `add` is not 0.  The weights
 * are (outputs, terms), or (terms, outputs) where `by_terms` is not 0. */
AVX512VNNI void quire_bytes_product(const int8_t *codes, const float *scale, const int32_t *sums, const uint8_t *weights,
                                    const float *worth, const float *bias, bf16 *out, int64_t rows, int64_t outputs,
                                    int64_t terms, int64_t stride, int64_t by_terms, int64_t add) {
    const Job job = {codes, scale, sums, stride, terms, worth, bias, out, add, outputs};
    const int64_t panels = (outputs + PANEL - 1) / PANEL, size = PANEL * ((terms + STEP - 1) / STEP * STEP);
    /* as many panels at a time as the cache holds, and several turns for each thread; where they lie side by side, two
     * at least, so that whole lines of memory are used at once */
    const int64_t turn = panels / (4 * omp_get_max_threads()), most = PANELS_BYTES / size, least = by_terms ? 2 : 1;
    const int64_t fitting = turn < most ? turn : most, together = fitting < least ? least : fitting;
    const int64_t groups = (panels + together - 1) / together;
    /* as many rows at a time as a larger cache holds: they pass by once for every group of panels */
    const int64_t tiles = ROWS_BYTES / (TILE * stride), many = (tiles < 32 ? 32 : tiles) * TILE;
    const int64_t turns = (rows + many - 1) / many * groups;
#pragma omp parallel
    {
        uint8_t *block = aligned_alloc(64, (size_t)(together * size));
#pragma omp for schedule(dynamic)
        for (int64_t t = 0; t < turns; t++) {
            const int64_t p = t % groups * together, count = p + together < panels ? together : panels - p;
            const int64_t start = t / groups * many, end = start + many < rows ? start + many : rows;
            (by_terms ? pack_columns : pack_rows)(weights, outputs, terms, p * PANEL, count, size, block);
            for (int64_t row = start; row < end; row += TILE)
                for (int64_t q = 0; q < count; q++)
                    some_rows(&job, block + q * size, row, end - row < TILE ? end - row : TILE, (p + q) * PANEL);
        }
        free(block);
    }
}
