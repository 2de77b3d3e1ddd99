/* The formulas of _binary.py and _softmax.py for a tile of rows, in one precision.

   _kernel.c includes this file once for float and once for double. A tile is a fixed
   number of rows, so compilers turn every loop over it into vectors without a remainder,
   and the place of a row does not change its result. The names are those of the Python
   modules, which derive the formulas. SUFFIXED adds the precision to a name. */

/* 2**k of the whole number k that is added to ROUND. */
INLINE REAL SUFFIXED(power_of_two)(REAL shifted) {
    union { REAL value; UNSIGNED bits; } power = {shifted};
    power.bits = (power.bits + EXPONENT_BIAS) << MANTISSA_BITS;
    return power.value;
}

/* exp(-size) for size >= 0: 2**k * exp(r), |r| <= log(2)/2, by the minimax polynomial of
   least relative error, below an ulp. Two factors 2**k reach the subnormal numbers. */
INLINE REAL SUFFIXED(exp_minus)(REAL size) {
    const REAL x = size < EXP_END ? -size : -EXP_END;
    const REAL k = (x * (REAL)1.4426950408889634 + ROUND) - ROUND;
    const REAL r = (x - k * LOG2_HIGH) - k * LOG2_LOW;
    const REAL exp_r = 1 + (r + r * r * SUFFIXED(exp_polynomial)(r));
    const REAL shifted_half = k * (REAL)0.5 + ROUND;
    const REAL shifted_rest = (k - (shifted_half - ROUND)) + ROUND;
    return exp_r * SUFFIXED(power_of_two)(shifted_half) *
           SUFFIXED(power_of_two)(shifted_rest);
}

/* log(1 + t) for 0 <= t <= 1: 2*atanh(z), z = t / (2 + t), as a series in z*z. */
INLINE REAL SUFFIXED(log1p_small)(REAL t) {
    const REAL z = t / (2 + t);
    const REAL w = z * z;
    return 2 * z + 2 * z * w * SUFFIXED(atanh_polynomial)(w);
}

/* log(v) for normal v > 0: k*log(2) + log(f), v = 2**k * f, 1 <= f < 2. */
INLINE REAL SUFFIXED(log_normal)(REAL v) {
    union { REAL value; UNSIGNED bits; } whole = {v}, fraction;
    const UNSIGNED one = (UNSIGNED)EXPONENT_BIAS << MANTISSA_BITS;
    const UNSIGNED mantissa = ((UNSIGNED)1 << MANTISSA_BITS) - 1;
    const REAL k = (REAL)((int)(whole.bits >> MANTISSA_BITS) - EXPONENT_BIAS);
    fraction.bits = (whole.bits & mantissa) | one;
    return k * LOG2_HIGH + (k * LOG2_LOW + SUFFIXED(log1p_small)(fraction.value - 1));
}

/* log(1 + t) for t >= 0. For t > 1, rounding 1 + t costs less than an ulp. */
INLINE REAL SUFFIXED(log1p_any)(REAL t) {
    const REAL small = SUFFIXED(log1p_small)(t);
    const REAL large = SUFFIXED(log_normal)(1 + t);
    return t < 1 ? small : large;
}

/* q**gamma. A gamma that is not a multiple of 1/2 needs double. The result is wrong for
   a subnormal q, where the product with q and any weight in float rounds to 0. */
INLINE void SUFFIXED(power)(const REAL *q, double gamma, REAL *result) {
    const int halves = is_half(gamma) ? (int)(2 * gamma) : -1;
    switch (halves) {
    case 0: EACH_ROW result[i] = 1; break;
    case 1: EACH_ROW result[i] = SQRT(q[i]); break;
    case 2: EACH_ROW result[i] = q[i]; break;
    case 3: EACH_ROW result[i] = q[i] * SQRT(q[i]); break;
    case 4: EACH_ROW result[i] = q[i] * q[i]; break;
    case 5: EACH_ROW result[i] = q[i] * q[i] * SQRT(q[i]); break;
    case 6: EACH_ROW result[i] = q[i] * q[i] * q[i]; break;
    case 7: EACH_ROW result[i] = q[i] * q[i] * q[i] * SQRT(q[i]); break;
    default:
        EACH_ROW result[i] = SUFFIXED(exp_minus)(
            -(REAL)gamma * SUFFIXED(log_normal)(q[i]));
    }
}

/* Numbers of either precision. Rows after the last one are 0, which is a valid label, raw
   prediction and weight. */
INLINE void SUFFIXED(load)(REAL *tile, const Numbers *from, Py_ssize_t row,
                           Py_ssize_t column) {
    const int rows = rows_of_tile(from->n_rows, row);
    const Py_ssize_t step = from->row_step;
    const char *start = from->start + row * step + column * from->column_step;
    if (from->is_double && step == sizeof(double))
        for (int i = 0; i < rows; i++)
            tile[i] = (REAL)((const double *)start)[i];
    else if (from->is_double)
        for (int i = 0; i < rows; i++)
            tile[i] = (REAL)*(const double *)(start + i * step);
    else if (step == sizeof(float))
        for (int i = 0; i < rows; i++)
            tile[i] = (REAL)((const float *)start)[i];
    else
        for (int i = 0; i < rows; i++)
            tile[i] = (REAL)*(const float *)(start + i * step);
    for (int i = rows; i < TILE; i++)
        tile[i] = 0;
}

/* Labels, and weights, which are 1 if there are none. */
INLINE void SUFFIXED(load_target)(REAL *y, REAL *weight, const Arrays *arrays,
                                  Py_ssize_t row, Py_ssize_t column) {
    SUFFIXED(load)(y, &arrays->y_true, row, column);
    if (arrays->has_weight)
        SUFFIXED(load)(weight, &arrays->weight, row, column);
    else
        EACH_ROW weight[i] = 1;
}

/* Rounds to float, and returns whether all results are finite. */
INLINE int SUFFIXED(store)(const Numbers *to, const REAL *tile, Py_ssize_t row,
                           Py_ssize_t column) {
    const int rows = rows_of_tile(to->n_rows, row);
    char *start = to->start + row * to->row_step + column * to->column_step;
    int is_bad = 0;
    EACH_ROW is_bad |= !(tile[i] <= FLT_MAX && tile[i] >= -FLT_MAX);
    if (to->row_step == sizeof(float))
        for (int i = 0; i < rows; i++)
            ((float *)start)[i] = (float)tile[i];
    else
        for (int i = 0; i < rows; i++)
            *(float *)(start + i * to->row_step) = (float)tile[i];
    return !is_bad;
}

/* p, q and s of hard labels. Returns 0 if a row is not the common case. */
INLINE int SUFFIXED(sides)(const REAL *y, const REAL *raw, const REAL *weight, REAL *p,
                           REAL *q, REAL *s) {
    int is_bad = 0;
    EACH_ROW {
        const REAL opposite = (1 - 2 * y[i]) * raw[i];
        const int is_easy = opposite < 0;
        const REAL size = is_easy ? -opposite : opposite;
        const REAL t = SUFFIXED(exp_minus)(size);
        const REAL large = 1 / (1 + t), small = t * large;
        p[i] = is_easy ? large : small;
        q[i] = is_easy ? small : large;
        s[i] = SUFFIXED(log1p_small)(t) + (is_easy ? 0 : size);
        is_bad |= !(size <= LARGEST_RAW) | !((y[i] == 0) | (y[i] == 1)) |
                  !((weight[i] >= 0) & (weight[i] <= FLT_MAX));
    }
    return !is_bad;
}

/* alpha * weight * q**gamma, with alpha and gamma of the label. */
INLINE void SUFFIXED(modulation)(const Binary *loss, const REAL *y, const REAL *weight,
                                 const REAL *q, REAL *result) {
    const REAL alphas[2] = {(REAL)loss->alpha[0], (REAL)loss->alpha[1]};
    REAL of_negative[TILE];
    SUFFIXED(power)(q, loss->gamma[0], result);
    if (loss->gamma[0] != loss->gamma[1]) {
        SUFFIXED(power)(q, loss->gamma[1], of_negative);
        EACH_ROW result[i] = y[i] == 1 ? result[i] : of_negative[i];
    }
    EACH_ROW result[i] *= (y[i] == 1 ? alphas[0] : alphas[1]) * weight[i];
}

/* Gradient and curvature of the binary loss. Returns 0 if a row needs the formulas. */
MULTIVERSION static int SUFFIXED(binary)(const Binary *loss, const Arrays *arrays,
                                         Py_ssize_t column) {
    const REAL gammas[2] = {(REAL)loss->gamma[0], (REAL)loss->gamma[1]};
    const REAL floor = (REAL)loss->floor;
    REAL y[TILE], raw[TILE], weight[TILE], p[TILE], q[TILE], s[TILE];
    REAL gamma[TILE], modulation[TILE], steepness[TILE], gradient[TILE], curvature[TILE];
    for (Py_ssize_t row = 0; row < arrays->raw.n_rows; row += TILE) {
        SUFFIXED(load)(raw, &arrays->raw, row, column);
        SUFFIXED(load_target)(y, weight, arrays, row, column);
        if (!SUFFIXED(sides)(y, raw, weight, p, q, s))
            return 0;
        SUFFIXED(modulation)(loss, y, weight, q, modulation);
        EACH_ROW {
            gamma[i] = y[i] == 1 ? gammas[0] : gammas[1];
            steepness[i] = modulation[i] * (q[i] + gamma[i] * (p[i] * s[i]));
            gradient[i] = y[i] == 1 ? -steepness[i] : steepness[i];
        }
        if (loss->is_exact)
            EACH_ROW curvature[i] = modulation[i] *
                ((1 + 2 * gamma[i]) * (p[i] * q[i]) +
                 gamma[i] * (p[i] * s[i]) * (gamma[i] * p[i] - q[i]));
        else
            EACH_ROW {
                const REAL slope = (1 + gamma[i]) * p[i];
                curvature[i] = steepness[i] * (slope > floor ? slope : floor);
            }
        if (!SUFFIXED(store)(&arrays->gradient, gradient, row, column) |
            !SUFFIXED(store)(&arrays->curvature, curvature, row, column))
            return 0;
    }
    return 1;
}

/* The largest raw prediction of each row. Returns 0 if one is out of range. */
INLINE int SUFFIXED(largest)(const REAL *raw, int n_classes, REAL *top) {
    int is_bad = 0;
    EACH_ROW top[i] = raw[i];
    for (int k = 0; k < n_classes; k++, raw += TILE)
        EACH_ROW {
            is_bad |= !((raw[i] <= LARGEST_RAW) & (raw[i] >= -LARGEST_RAW));
            top[i] = raw[i] > top[i] ? raw[i] : top[i];
        }
    return !is_bad;
}

/* Sums over the classes of a row. */
typedef struct {
    REAL tail[TILE];     /* of exp(z - largest z), without one largest class */
    REAL rest[TILE];     /* of exp(z - largest z), without the true class */
    REAL own[TILE];      /* z - largest z of the true class */
    REAL own_size[TILE]; /* its exp */
    REAL gamma[TILE];    /* its gamma */
    REAL known[TILE];    /* the number of classes that are the label: 1 if it is valid */
} SUFFIXED(Sums);

/* Sums up the classes, and turns raw predictions into exp(z - largest z). */
INLINE void SUFFIXED(sum_up)(const Softmax *loss, const REAL *y, const REAL *top,
                             REAL *raw, SUFFIXED(Sums) *sums) {
    REAL ties[TILE];
    EACH_ROW sums->tail[i] = sums->rest[i] = sums->own[i] = sums->own_size[i] = 0;
    EACH_ROW sums->gamma[i] = sums->known[i] = 0;
    EACH_ROW ties[i] = -1;
    for (int k = 0; k < loss->n_classes; k++, raw += TILE) {
        const REAL label = (REAL)k, gamma = (REAL)loss->gamma[k];
        EACH_ROW { /* products with 0 and 1: compilers vectorise no choices in sums */
            const REAL below = raw[i] - top[i];
            const REAL size = SUFFIXED(exp_minus)(-below);
            const REAL is_own = y[i] == label ? 1 : 0, is_top = below == 0 ? 1 : 0;
            raw[i] = size;
            ties[i] += is_top;
            sums->tail[i] += size - is_top;
            sums->rest[i] += size * (1 - is_own);
            sums->own[i] += below * is_own;
            sums->own_size[i] += size * is_own;
            sums->gamma[i] += gamma * is_own;
            sums->known[i] += is_own;
        }
    }
    EACH_ROW sums->tail[i] += ties[i];
}

/* alpha * q**gamma, with alpha and gamma of the label. */
INLINE void SUFFIXED(softmax_modulation)(const Softmax *loss, const REAL *y,
                                         const REAL *q, REAL *result) {
    REAL of_class[TILE];
    SUFFIXED(power)(q, loss->gamma[0], result);
    for (int k = 1; loss->has_many_gammas && k < loss->n_classes; k++) {
        SUFFIXED(power)(q, loss->gamma[k], of_class);
        EACH_ROW result[i] = y[i] == (REAL)k ? of_class[i] : result[i];
    }
    for (int k = 0; loss->has_alpha && k < loss->n_classes; k++) {
        const REAL alpha = (REAL)loss->alpha[k];
        EACH_ROW result[i] *= y[i] == (REAL)k ? alpha : 1;
    }
}

/* Gradient and certified curvature of the softmax loss. Returns 0 if a row needs the
   formulas. The workspace holds a tile for each class. */
MULTIVERSION static int SUFFIXED(softmax)(const Softmax *loss, const Arrays *arrays,
                                          REAL *workspace) {
    const REAL floor = 2 * (REAL)loss->floor;
    SUFFIXED(Sums) sums;
    REAL y[TILE], weight[TILE], top[TILE], p[TILE], q[TILE], steepness[TILE];
    REAL gradient[TILE], curvature[TILE];
    for (Py_ssize_t row = 0; row < arrays->raw.n_rows; row += TILE) {
        SUFFIXED(load_target)(y, weight, arrays, row, 0);
        for (int k = 0; k < loss->n_classes; k++)
            SUFFIXED(load)(workspace + (size_t)k * TILE, &arrays->raw, row, k);
        int is_bad = !SUFFIXED(largest)(workspace, loss->n_classes, top);
        SUFFIXED(sum_up)(loss, y, top, workspace, &sums);
        EACH_ROW {
            const REAL all = 1 + sums.tail[i];
            p[i] = sums.own_size[i] / all;
            q[i] = (sums.tail[i] + (1 - sums.own_size[i])) / all;
            sums.rest[i] = sums.rest[i] >= SMALLEST ? 1 / sums.rest[i] : 0;
            is_bad |= !(sums.known[i] == 1) |
                      !((weight[i] >= 0) & (weight[i] <= FLT_MAX));
        }
        SUFFIXED(softmax_modulation)(loss, y, q, steepness);
        EACH_ROW {
            const REAL s = SUFFIXED(log1p_any)(sums.tail[i]) - sums.own[i];
            steepness[i] *= weight[i] * (q[i] + sums.gamma[i] * (p[i] * s));
            sums.own[i] = 1 / (1 + sums.tail[i]);
        }
        for (int k = 0; k < loss->n_classes; k++) {
            const REAL label = (REAL)k, *size = workspace + (size_t)k * TILE;
            EACH_ROW {
                const int is_own = y[i] == label;
                const REAL complement = (sums.tail[i] + (1 - size[i])) * sums.own[i];
                const REAL side = is_own ? p[i] : complement;
                const REAL bound = 2 * (1 + sums.gamma[i]) * side;
                const REAL slope = steepness[i] * (is_own ? 1 : size[i] * sums.rest[i]);
                gradient[i] = is_own ? -slope : slope;
                curvature[i] = slope * (bound > floor ? bound : floor);
            }
            is_bad |= !SUFFIXED(store)(&arrays->gradient, gradient, row, k) |
                      !SUFFIXED(store)(&arrays->curvature, curvature, row, k);
        }
        if (is_bad)
            return 0;
    }
    return 1;
}
