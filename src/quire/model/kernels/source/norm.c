/* Root-mean-square norm, as transformers' LlamaRMSNorm rounds it, and its gradients. */
#include <math.h>

#include "kernels.h"

enum { STRIP = 32, TOKENS = 256 };

AVX512BF16 static float row_forward(const bf16 *x, const bf16 *weight, bf16 *y, int64_t n, float eps) {
    __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    int64_t i = 0;
    for (; i + 64 <= n; i += 64)
        for (int k = 0; k < 4; k++) {
            __m512 v = load_bf16(x + i + 16 * k);
            sums[k] = _mm512_fmadd_ps(v, v, sums[k]);
        }
    for (; i < n; i += 16) {
        __m512 v = load_bf16_part(x + i, first_lanes(n - i));
        sums[0] = _mm512_fmadd_ps(v, v, sums[0]);
    }
    __m512 sum = _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
    const float r = 1.0f / sqrtf(_mm512_reduce_add_ps(sum) / (float)n + eps);
    const __m512 scale = _mm512_set1_ps(r);
    for (i = 0; i < n; i += 16) {
        __mmask16 part = first_lanes(n - i);
        __m512 v = rounded_ps(_mm512_mul_ps(load_bf16_part(x + i, part), scale));
        store_bf16_part(y + i, _mm512_mul_ps(v, load_bf16_part(weight + i, part)), part);
    }
    return r;
}

/* y (rows, n) = weight * bf16(x * r), r (rows) = 1 / sqrt(mean(x^2) + eps) */
void rms_norm_forward(const bf16 *x, const bf16 *weight, bf16 *y, float *r, int64_t rows, int64_t n, float eps) {
#pragma omp parallel for schedule(static) if (rows * n > 16384)
    for (int64_t t = 0; t < rows; t++) r[t] = row_forward(x + t * n, weight, y + t * n, n, eps);
}

AVX512BF16 static void row_backward(const bf16 *dy, const bf16 *x, const bf16 *weight, float r, const bf16 *beside,
                                    bf16 *dx, int64_t n) {
    __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        for (int k = 0; k < 2; k++) {
            __m512 g = _mm512_mul_ps(load_bf16(dy + i + 16 * k), load_bf16(weight + i + 16 * k));
            sums[k] = _mm512_fmadd_ps(g, load_bf16(x + i + 16 * k), sums[k]);
        }
    for (; i < n; i += 16) {
        __mmask16 part = first_lanes(n - i);
        __m512 g = _mm512_mul_ps(load_bf16_part(dy + i, part), load_bf16_part(weight + i, part));
        sums[0] = _mm512_fmadd_ps(g, load_bf16_part(x + i, part), sums[0]);
    }
    float mean = _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1])) / (float)n;
    __m512 scale = _mm512_set1_ps(r), along = _mm512_set1_ps(mean * r * r);
    for (i = 0; i < n; i += 16) {
        __mmask16 part = first_lanes(n - i);
        __m512 g = _mm512_mul_ps(load_bf16_part(dy + i, part), load_bf16_part(weight + i, part));
        g = _mm512_fnmadd_ps(load_bf16_part(x + i, part), along, g);
        __m512 other = beside ? load_bf16_part(beside + i, part) : _mm512_setzero_ps();
        store_bf16_part(dx + i, _mm512_fmadd_ps(g, scale, other), part);
    }
}

/* dx = r * (g - x * r^2 * mean(g * x)) with g = dy * weight; `beside` (rows, n) is added to it, unless it is null */
void rms_norm_backward(const bf16 *dy, const bf16 *x, const bf16 *weight, const float *r, const bf16 *beside, bf16 *dx,
                       int64_t rows, int64_t n) {
#pragma omp parallel for schedule(static) if (rows * n > 16384)
    for (int64_t t = 0; t < rows; t++)
        row_backward(dy + t * n, x + t * n, weight, r[t], beside ? beside + t * n : NULL, dx + t * n, n);
}

/* the columns from c on, up to STRIP of them */
AVX512BF16 static void strip_backward(const bf16 *dy, const bf16 *x, const float *r, bf16 *dweight, int64_t rows,
                                      int64_t n, int64_t c) {
    const __mmask16 low = first_lanes(n - c), high = first_lanes(n - c - 16);
    __m512 total0 = _mm512_setzero_ps(), total1 = total0;
    for (int64_t start = 0; start < rows; start += TOKENS) {
        int64_t end = least(start + TOKENS, rows);
        __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
        for (int64_t t = start; t < end; t++) {
            const bf16 *from = x + t * n + c, *grad = dy + t * n + c;
            __m512 scale = _mm512_set1_ps(r[t]);
            __m512 v0 = rounded_ps(_mm512_mul_ps(load_bf16_part(from, low), scale));
            __m512 v1 = rounded_ps(_mm512_mul_ps(load_bf16_part(from + 16, high), scale));
            sum0 = _mm512_fmadd_ps(load_bf16_part(grad, low), v0, sum0);
            sum1 = _mm512_fmadd_ps(load_bf16_part(grad + 16, high), v1, sum1);
        }
        total0 = _mm512_add_ps(total0, sum0);
        total1 = _mm512_add_ps(total1, sum1);
    }
    store_bf16_part(dweight + c, total0, low);
    store_bf16_part(dweight + c + 16, total1, high);
}

/* dweight (n) = sum over rows of dy * bf16(x * r): each column by one thread, blocks of rows in their order */
void rms_norm_backward_weight(const bf16 *dy, const bf16 *x, const float *r, bf16 *dweight, int64_t rows, int64_t n) {
#pragma omp parallel for schedule(static) if (rows * n > 16384)
    for (int64_t c = 0; c < n; c += STRIP) strip_backward(dy, x, r, dweight, rows, n, c);
}
