/* Cross-entropy of rows of logits, and its gradient in their place.  Each row is read from memory once and each power
 * computed once: between the sum and the shares they stand in float32 beside the row, in the cache. */
#include "kernels.h"

#include <math.h>

enum { TOGETHER = 4 }; /* rows that a thread takes at a time: the next one is mostly its own to fetch */

/* e^(x - top), x <= top */
AVX512 static inline __m512 power(__m512 x, __m512 top) { return exp_ps(_mm512_sub_ps(x, top)); }

/* the largest of them; NaN is passed by, the powers will show it */
AVX512 static float highest_of(const bf16 *x, int64_t columns) {
    const int64_t full = columns / 64 * 64;
    const __m512 low = _mm512_set1_ps(-INFINITY);
    __m512 part[4] = {low, low, low, low};
    for (int64_t i = 0; i < full; i += 64)
        for (int j = 0; j < 4; j++) part[j] = _mm512_max_ps(load_bf16(x + i + 16 * j), part[j]);
    for (int64_t i = full; i < columns; i += 16) {
        const __mmask16 mask = first_lanes(columns - i);
        part[0] = _mm512_mask_max_ps(part[0], mask, load_bf16_part(x + i, mask), part[0]);
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(part[0], part[1]), _mm512_max_ps(part[2], part[3])));
}

/* the sum of the powers of x, which are kept in `powers` (columns, up to 16 more) unless that is null; meanwhile the
 * row behind x is fetched */
AVX512 static float powers_of(const bf16 *x, float highest, float *powers, int64_t columns) {
    const int64_t full = columns / 64 * 64;
    const __m512 top = _mm512_set1_ps(highest);
    __m512 part[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t i = 0; i < full; i += 64) {
        _mm_prefetch((const char *)(x + columns + i), _MM_HINT_T1);
        _mm_prefetch((const char *)(x + columns + i + 32), _MM_HINT_T1);
        for (int j = 0; j < 4; j++) {
            const __m512 found = power(load_bf16(x + i + 16 * j), top);
            if (powers != NULL) _mm512_store_ps(powers + i + 16 * j, found);
            part[j] = _mm512_add_ps(part[j], found);
        }
    }
    for (int64_t i = full; i < columns; i += 16) {
        const __mmask16 mask = first_lanes(columns - i);
        const __m512 found = power(load_bf16_part(x + i, mask), top);
        if (powers != NULL) _mm512_store_ps(powers + i, found);
        part[0] = _mm512_mask_add_ps(part[0], mask, part[0], found);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(part[0], part[1]), _mm512_add_ps(part[2], part[3])));
}

/* x (columns) = powers * share */
AVX512BF16 static void shares_of(const float *powers, float share, bf16 *x, int64_t columns) {
    const int64_t full = columns / 32 * 32;
    const __m512 by = _mm512_set1_ps(share);
    for (int64_t i = 0; i < full; i += 32) {
        const __m512 low = _mm512_mul_ps(_mm512_load_ps(powers + i), by);
        const __m512 high = _mm512_mul_ps(_mm512_load_ps(powers + i + 16), by);
        _mm512_storeu_si512(x + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    for (int64_t i = full; i < columns; i += 16)
        store_bf16_part(x + i, _mm512_mul_ps(_mm512_load_ps(powers + i), by), first_lanes(columns - i));
}

AVX512BF16 static float row_loss(bf16 *x, float *powers, int64_t columns, int64_t target) {
    const float highest = highest_of(x, columns);
    const double sum = powers_of(x, highest, powers, columns);
    const double below = (double)float_of(x[target]) - (double)highest;
    if (powers != NULL) {
        shares_of(powers, (float)(1.0 / sum), x, columns);
        store_bf16_part(x + target, _mm512_set1_ps((float)(exp(below) / sum - 1.0)), 1);
    }
    return (float)(log(sum) - below);
}

/* losses (rows) of logits (rows, columns) for targets (rows), each a column.  Where `with_gradient` is not 0 the logits
 * become the gradient of the sum of the losses.  Returns 1 where no memory is found, otherwise 0. */
int quire_cross_entropy(bf16 *logits, const int64_t *targets, float *losses, int64_t rows, int64_t columns,
                        int64_t with_gradient) {
    const int64_t each = up_to(columns, 16);
    float *powers = with_gradient ? room_for((size_t)(omp_get_max_threads() * each) * sizeof(float)) : NULL;
    if (with_gradient && powers == NULL) return 1;
#pragma omp parallel for schedule(dynamic, TOGETHER)
    for (int64_t r = 0; r < rows; r++) {
        float *mine = powers == NULL ? NULL : powers + omp_get_thread_num() * each;
        losses[r] = row_loss(logits + r * columns, mine, columns, targets[r]);
    }
    free(powers);
    return 0;
}
