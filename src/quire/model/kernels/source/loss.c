/* Cross-entropy of rows of logits, and its gradient in their place: each row is read from memory once. */
#include "kernels.h"

#include <math.h>

/* e^(x - top), x <= top */
AVX512 static inline __m512 power(__m512 x, __m512 top) { return exp_ps(_mm512_sub_ps(x, top)); }

AVX512BF16 static float row_loss(bf16 *x, int64_t columns, int64_t target, int with_gradient) {
    const int64_t full = columns / 64 * 64;
    const __m512 low = _mm512_set1_ps(-INFINITY), nothing = _mm512_setzero_ps();
    __m512 part[4] = {low, low, low, low};
    for (int64_t i = 0; i < full; i += 64)
        for (int j = 0; j < 4; j++) part[j] = _mm512_max_ps(part[j], load_bf16(x + i + 16 * j));
    for (int64_t i = full; i < columns; i += 16) {
        const __mmask16 mask = first_lanes(columns - i);
        part[0] = _mm512_mask_max_ps(part[0], mask, part[0], load_bf16_part(x + i, mask));
    }
    const float highest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(part[0], part[1]),
                                                          _mm512_max_ps(part[2], part[3])));
    const __m512 top = _mm512_set1_ps(highest);
    for (int j = 0; j < 4; j++) part[j] = nothing;
    for (int64_t i = 0; i < full; i += 64)
        for (int j = 0; j < 4; j++) part[j] = _mm512_add_ps(part[j], power(load_bf16(x + i + 16 * j), top));
    for (int64_t i = full; i < columns; i += 16) {
        const __mmask16 mask = first_lanes(columns - i);
        part[0] = _mm512_mask_add_ps(part[0], mask, part[0], power(load_bf16_part(x + i, mask), top));
    }
    const double sum = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(part[0], part[1]),
                                                          _mm512_add_ps(part[2], part[3])));
    const double below = (double)float_of(x[target]) - (double)highest;
    if (with_gradient) {
        const __m512 share = _mm512_set1_ps((float)(1.0 / sum));
        for (int64_t i = 0; i < full; i += 16)
            store_bf16(x + i, _mm512_mul_ps(power(load_bf16(x + i), top), share));
        for (int64_t i = full; i < columns; i += 16) {
            const __mmask16 mask = first_lanes(columns - i);
            store_bf16_part(x + i, _mm512_mul_ps(power(load_bf16_part(x + i, mask), top), share), mask);
        }
        store_bf16_part(x + target, _mm512_set1_ps((float)(exp(below) / sum - 1.0)), 1);
    }
    return (float)(log(sum) - below);
}

/* losses (rows) of logits (rows, columns) for targets (rows), each a column.  Where `with_gradient` is not 0 the logits
 * become the gradient of the sum of the losses. */
void quire_cross_entropy(bf16 *logits, const int64_t *targets, float *losses, int64_t rows, int64_t columns,
                         int64_t with_gradient) {
#pragma omp parallel for schedule(dynamic)
    for (int64_t r = 0; r < rows; r++)
        losses[r] = row_loss(logits + r * columns, columns, targets[r], with_gradient != 0);
}
