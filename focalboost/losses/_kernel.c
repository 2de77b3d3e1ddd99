/* Gradient and curvature of the focal losses as float32, compiled.

   binary() and softmax() compute what the formulas of _binary.py and _softmax.py give,
   without the global interpreter lock, and write it into two arrays. They do the common
   case: hard labels, finite numbers, aligned native float arrays. They return False for
   everything else, and the caller evaluates the formulas, which handle soft labels and
   raise all errors. _evaluate.py prepares the arguments, so this file checks no others. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* The number that _evaluate.py expects. Change both together. */
#define INTERFACE 2

/* 16 vectors of 512 bits in float. The tiles of the binary loss stay in the first-level
   cache. */
#define TILE 256
#define EACH_ROW for (int i = 0; i < TILE; i++)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* One version for each generation of vector instructions; the loader chooses one. */
#if __GNUC__ >= 12 && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define MULTIVERSION \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSION
#endif

/* As in _validation.py: the product of a larger number and the smallest probability is
   not 0. */
#define LARGEST_RAW (REAL)1e30

typedef struct {
    char *start;
    Py_ssize_t n_rows, row_step, column_step; /* steps in bytes */
    int is_double;
} Numbers;

typedef struct {
    Numbers raw, y_true, weight, gradient, curvature;
    int has_weight;
} Arrays;

typedef struct {
    double gamma[2], alpha[2]; /* of the positives and of the negatives */
    double floor;
    int is_exact; /* the hessian instead of the certified curvature */
} Binary;

typedef struct {
    const double *gamma, *alpha; /* of each class */
    double floor;
    int n_classes, has_many_gammas, has_alpha;
} Softmax;

INLINE int rows_of_tile(Py_ssize_t n_rows, Py_ssize_t row) {
    return n_rows - row < TILE ? (int)(n_rows - row) : TILE;
}

/* Whether q**gamma is a product of q and its square root. */
INLINE int is_half(double gamma) {
    return gamma <= 3.5 && 2 * gamma == (double)(int)(2 * gamma);
}

#define REAL float
#define UNSIGNED uint32_t
#define SUFFIXED(name) name##_float
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_END 104.0f /* exp(-104) rounds to 0 */
#define ROUND 12582912.0f /* 1.5 * 2**23: adding it rounds to whole numbers */
#define LOG2_HIGH 0.693359375f /* 9 bits, so that its multiples are exact */
#define LOG2_LOW -2.12194440e-4f
#define SMALLEST FLT_MIN
#define SQRT sqrtf

INLINE float exp_polynomial_float(float r) { /* (exp(r) - 1 - r) / r**2, within 3e-9 */
    float sum = 0.0013814613f;
    sum = sum * r + 0.0083687098f;
    sum = sum * r + 0.041668387f;
    sum = sum * r + 0.16666521f;
    return sum * r + 0.49999993f;
}

INLINE float atanh_polynomial_float(float w) { /* (atanh(z)/z - 1) / w, within 8e-9 */
    float sum = 0.14087329f;
    sum = sum * w + 0.13990126f;
    sum = sum * w + 0.20010864f;
    return sum * w + 0.33333223f;
}

#include "_kernel.h"

#undef REAL
#undef UNSIGNED
#undef SUFFIXED
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef EXP_END
#undef ROUND
#undef LOG2_HIGH
#undef LOG2_LOW
#undef SMALLEST
#undef SQRT
#define REAL double
#define UNSIGNED uint64_t
#define SUFFIXED(name) name##_double
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_END 746.0
#define ROUND 6755399441055744.0 /* 1.5 * 2**52 */
#define LOG2_HIGH 6.93145751953125e-1
#define LOG2_LOW 1.42860682030941723212e-6
#define SMALLEST DBL_MIN
#define SQRT sqrt

INLINE double exp_polynomial_double(double r) { /* within 6e-20 */
    double sum = 2.0826633585818389807e-9;
    sum = sum * r + 2.5112024809881877036e-8;
    sum = sum * r + 2.7557581754585452245e-7;
    sum = sum * r + 2.7557234895798513251e-6;
    sum = sum * r + 2.4801586926845051022e-5;
    sum = sum * r + 1.9841269896350595801e-4;
    sum = sum * r + 1.3888888889115452995e-3;
    sum = sum * r + 8.3333333333170473623e-3;
    sum = sum * r + 4.1666666666666094840e-2;
    sum = sum * r + 1.6666666666666683403e-1;
    return sum * r + 0.50000000000000000438;
}

INLINE double atanh_polynomial_double(double w) { /* within 1e-16 */
    double sum = 0.088967478321443069408;
    sum = sum * w + 0.049437968215681613072;
    sum = sum * w + 0.067933939941922134284;
    sum = sum * w + 0.076822901647673649002;
    sum = sum * w + 0.090913853859174589978;
    sum = sum * w + 0.11111097808747635049;
    sum = sum * w + 0.14285714487544264164;
    sum = sum * w + 0.19999999998600703065;
    return sum * w + 0.33333333333336200256;
}

#include "_kernel.h"

/* The sums of a metric: of the losses, and of the weights of each class. They are sums of
   double for any precision of the arrays. */
static double total_of(const double *tile) {
    double total = 0;
    EACH_ROW total += tile[i];
    return total;
}

/* Rows after the last one count nothing. */
INLINE void drop_rows(double *tile, Py_ssize_t n_rows, Py_ssize_t row) {
    for (int i = rows_of_tile(n_rows, row); i < TILE; i++)
        tile[i] = 0;
}

/* The loss, positives and negatives of a column. Returns 0 if a row needs the formulas. */
MULTIVERSION static int binary_total(const Binary *loss, const Arrays *arrays,
                                     Py_ssize_t column, double *sums) {
    double y[TILE], raw[TILE], weight[TILE], p[TILE], q[TILE], s[TILE], modulation[TILE];
    double losses[TILE] = {0}, positives[TILE] = {0}, negatives[TILE] = {0};
    const Py_ssize_t n_rows = arrays->raw.n_rows;
    for (Py_ssize_t row = 0; row < n_rows; row += TILE) {
        load_double(raw, &arrays->raw, row, column);
        load_target_double(y, weight, arrays, row, column);
        if (!sides_double(y, raw, weight, p, q, s))
            return 0;
        drop_rows(weight, n_rows, row);
        modulation_double(loss, y, weight, q, modulation);
        EACH_ROW {
            losses[i] += modulation[i] * s[i];
            positives[i] += weight[i] * y[i];
            negatives[i] += weight[i] * (1 - y[i]);
        }
    }
    sums[0] = total_of(losses);
    sums[1] = total_of(positives);
    sums[2] = total_of(negatives);
    return 1;
}

/* The loss and the weight of each class. Returns 0 if a row needs the formulas. The
   workspace holds a tile for each class. */
MULTIVERSION static int softmax_total(const Softmax *loss, const Arrays *arrays,
                                      double *workspace, double *sums) {
    Sums_double of_row;
    double y[TILE], weight[TILE], top[TILE], q[TILE], modulation[TILE];
    double losses[TILE] = {0};
    const Py_ssize_t n_rows = arrays->raw.n_rows;
    for (int k = 0; k <= loss->n_classes; k++)
        sums[k] = 0;
    for (Py_ssize_t row = 0; row < n_rows; row += TILE) {
        load_target_double(y, weight, arrays, row, 0);
        for (int k = 0; k < loss->n_classes; k++)
            load_double(workspace + (size_t)k * TILE, &arrays->raw, row, k);
        int is_bad = !largest_double(workspace, loss->n_classes, top);
        sum_up_double(loss, y, top, workspace, &of_row);
        EACH_ROW is_bad |= !(of_row.known[i] == 1) |
                           !((weight[i] >= 0) & (weight[i] <= FLT_MAX));
        if (is_bad)
            return 0;
        drop_rows(weight, n_rows, row);
        EACH_ROW q[i] = (of_row.tail[i] + (1 - of_row.own_size[i])) / (1 + of_row.tail[i]);
        softmax_modulation_double(loss, y, q, modulation);
        EACH_ROW losses[i] += weight[i] * modulation[i] *
                              (log1p_any_double(of_row.tail[i]) - of_row.own[i]);
        EACH_ROW sums[1 + (int)y[i]] += weight[i];
    }
    sums[0] = total_of(losses);
    return 1;
}

enum { RAW, Y_TRUE, WEIGHT, GRADIENT, CURVATURE, N_ARRAYS };

/* The arrays of one call. release() gives back every buffer that was taken. */
typedef struct {
    Py_buffer buffers[N_ARRAYS];
    int n_taken;
    Arrays arrays;
} Call;

static void release(Call *call) {
    while (call->n_taken > 0)
        PyBuffer_Release(&call->buffers[--call->n_taken]);
}

/* 'f' or 'd' of native floats. LightGBM's labels are views of ctypes arrays, whose format
   names the byte order before it. */
static char format_of(const Py_buffer *buffer) {
    const char *format = buffer->format;
    return format[*format == (PY_LITTLE_ENDIAN ? '<' : '>')];
}

/* Whether every number is where a compiler expects it. The format does not tell: NumPy
   marks arrays that are not aligned, but none whose dtype names the byte order. */
static int is_aligned(const Py_buffer *buffer) {
    uintptr_t places = (uintptr_t)buffer->buf;
    for (int axis = 0; axis < buffer->ndim; axis++)
        places |= (uintptr_t)buffer->strides[axis];
    return places % (uintptr_t)buffer->itemsize == 0;
}

/* Takes an array; 1 if it has one or two dimensions of float or double, 0 if not, and -1
   with an exception. */
static int take(Call *call, PyObject *object, int is_output, Numbers *numbers) {
    Py_buffer *buffer = &call->buffers[call->n_taken];
    const int flags = PyBUF_STRIDES | PyBUF_FORMAT | (is_output ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, buffer, flags) < 0)
        return -1;
    call->n_taken++;
    const char format = format_of(buffer);
    if (buffer->ndim < 1 || buffer->ndim > 2 || (format != 'f' && format != 'd') ||
        !is_aligned(buffer))
        return 0;
    numbers->start = buffer->buf;
    numbers->n_rows = buffer->shape[0];
    numbers->row_step = buffer->strides[0];
    numbers->column_step = buffer->ndim == 2 ? buffer->strides[1] : 0;
    numbers->is_double = format == 'd';
    return is_output ? format == 'f' : 1;
}

/* Takes the first arrays, which must have as many rows each. The weight may be None. */
static int take_all(Call *call, PyObject *const *objects, int n_arrays) {
    Arrays *arrays = &call->arrays;
    Numbers *const numbers[N_ARRAYS] = {&arrays->raw, &arrays->y_true, &arrays->weight,
                                        &arrays->gradient, &arrays->curvature};
    call->n_taken = 0;
    arrays->has_weight = objects[WEIGHT] != Py_None;
    for (int i = 0; i < n_arrays; i++) {
        if (i == WEIGHT && !arrays->has_weight)
            continue;
        const int usable = take(call, objects[i], i >= GRADIENT, numbers[i]);
        if (usable != 1)
            return usable;
        if (numbers[i]->n_rows != arrays->raw.n_rows)
            return 0;
    }
    return 1;
}

static Py_ssize_t columns_of(const Call *call) {
    const Py_buffer *raw = &call->buffers[RAW];
    return raw->ndim == 2 ? raw->shape[1] : 1;
}

static PyObject *binary(PyObject *module, PyObject *args) {
    PyObject *objects[N_ARRAYS];
    Binary loss;
    Call call;
    if (!PyArg_ParseTuple(args, "OOOOO(dd)(dd)dp", &objects[RAW], &objects[Y_TRUE],
                          &objects[WEIGHT], &objects[GRADIENT], &objects[CURVATURE],
                          &loss.gamma[0], &loss.gamma[1], &loss.alpha[0],
                          &loss.alpha[1], &loss.floor, &loss.is_exact))
        return NULL;
    int done = take_all(&call, objects, N_ARRAYS);
    if (done == 1) {
        const Py_ssize_t n_columns = columns_of(&call);
        const int in_double = call.arrays.raw.is_double || !is_half(loss.gamma[0]) ||
                              !is_half(loss.gamma[1]);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t column = 0; done && column < n_columns; column++)
            done = in_double ? binary_double(&loss, &call.arrays, column)
                             : binary_float(&loss, &call.arrays, column);
        Py_END_ALLOW_THREADS
    }
    release(&call);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

/* The numbers of a tuple, which the caller frees, or NULL with an exception. */
static double *doubles(PyObject *tuple, int count) {
    double *values = malloc(sizeof(double) * (size_t)count);
    if (values == NULL)
        return (double *)PyErr_NoMemory();
    for (int k = 0; k < count; k++)
        values[k] = PyFloat_AsDouble(PyTuple_GetItem(tuple, k));
    if (PyErr_Occurred()) {
        free(values);
        return NULL;
    }
    return values;
}

/* With sums, those of a metric; without, the gradients and curvatures. */
static int on_softmax(Call *call, Softmax *loss, double *sums) {
    int in_double = call->arrays.raw.is_double;
    loss->has_many_gammas = loss->has_alpha = 0;
    for (int k = 0; k < loss->n_classes; k++) {
        in_double |= !is_half(loss->gamma[k]);
        loss->has_many_gammas |= loss->gamma[k] != loss->gamma[0];
        loss->has_alpha |= loss->alpha[k] != 1;
    }
    void *workspace = malloc(sizeof(double) * TILE * (size_t)loss->n_classes);
    if (workspace == NULL)
        return 0;
    int done;
    Py_BEGIN_ALLOW_THREADS
    if (sums != NULL)
        done = softmax_total(loss, &call->arrays, workspace, sums);
    else
        done = in_double ? softmax_double(loss, &call->arrays, workspace)
                         : softmax_float(loss, &call->arrays, workspace);
    Py_END_ALLOW_THREADS
    free(workspace);
    return done;
}

static int with_softmax(PyObject *const *objects, PyObject *gammas, PyObject *alphas,
                        double floor, double *sums) {
    Softmax loss = {.floor = floor, .n_classes = (int)PyTuple_Size(gammas)};
    Call call;
    double *gamma = doubles(gammas, loss.n_classes);
    double *alpha = gamma == NULL ? NULL : doubles(alphas, loss.n_classes);
    int done = -1;
    if (alpha != NULL) {
        loss.gamma = gamma;
        loss.alpha = alpha;
        done = take_all(&call, objects, sums == NULL ? N_ARRAYS : GRADIENT);
        if (done == 1)
            done = on_softmax(&call, &loss, sums);
        release(&call);
    }
    free(gamma);
    free(alpha);
    return done;
}

static PyObject *softmax(PyObject *module, PyObject *args) {
    PyObject *objects[N_ARRAYS], *gammas, *alphas;
    double floor;
    if (!PyArg_ParseTuple(args, "OOOOOO!O!d", &objects[RAW], &objects[Y_TRUE],
                          &objects[WEIGHT], &objects[GRADIENT], &objects[CURVATURE],
                          &PyTuple_Type, &gammas, &PyTuple_Type, &alphas, &floor))
        return NULL;
    const int done = with_softmax(objects, gammas, alphas, floor, NULL);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

/* A tuple of numbers, or None if the formulas have to find them. */
static PyObject *numbers_of(int done, const double *numbers, Py_ssize_t count) {
    if (done < 0)
        return NULL;
    if (!done)
        Py_RETURN_NONE;
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *number = PyFloat_FromDouble(numbers[i]);
        if (number == NULL || PyTuple_SetItem(tuple, i, number) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *softmax_sums(PyObject *module, PyObject *args) {
    PyObject *objects[N_ARRAYS], *gammas, *alphas;
    if (!PyArg_ParseTuple(args, "OOOO!O!", &objects[RAW], &objects[Y_TRUE],
                          &objects[WEIGHT], &PyTuple_Type, &gammas, &PyTuple_Type,
                          &alphas))
        return NULL;
    const Py_ssize_t count = 1 + PyTuple_Size(gammas);
    double *sums = malloc(sizeof(double) * (size_t)count);
    if (sums == NULL)
        return PyErr_NoMemory();
    const int done = with_softmax(objects, gammas, alphas, 0, sums);
    PyObject *result = numbers_of(done, sums, count);
    free(sums);
    return result;
}

static PyObject *binary_sums(PyObject *module, PyObject *args) {
    PyObject *objects[N_ARRAYS];
    Binary loss = {.floor = 0, .is_exact = 0};
    Call call;
    if (!PyArg_ParseTuple(args, "OOO(dd)(dd)", &objects[RAW], &objects[Y_TRUE],
                          &objects[WEIGHT], &loss.gamma[0], &loss.gamma[1],
                          &loss.alpha[0], &loss.alpha[1]))
        return NULL;
    int done = take_all(&call, objects, GRADIENT);
    const Py_ssize_t n_columns = done == 1 ? columns_of(&call) : 0;
    double *sums = malloc(sizeof(double) * (size_t)(3 * n_columns + 1));
    if (done == 1 && sums == NULL)
        done = 0;
    if (done == 1) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t column = 0; done && column < n_columns; column++)
            done = binary_total(&loss, &call.arrays, column, sums + 3 * column);
        Py_END_ALLOW_THREADS
    }
    release(&call);
    PyObject *result = numbers_of(done, sums, 3 * n_columns);
    free(sums);
    return result;
}

static PyMethodDef functions[] = {
    {"binary", binary, METH_VARARGS,
     "binary(raw_prediction, y_true, sample_weight, gradient, curvature, gammas, alphas, "
     "floor, is_exact) -> whether the last two arrays are filled"},
    {"softmax", softmax, METH_VARARGS,
     "softmax(raw_prediction, y_true, sample_weight, gradient, curvature, gammas, alphas, "
     "floor) -> whether the last two arrays are filled"},
    {"binary_sums", binary_sums, METH_VARARGS,
     "binary_sums(raw_prediction, y_true, sample_weight, gammas, alphas) -> the total "
     "loss, and the weights of positives and negatives, of each column; or None"},
    {"softmax_sums", softmax_sums, METH_VARARGS,
     "softmax_sums(raw_prediction, y_true, sample_weight, gammas, alphas) -> the total "
     "loss, and the weight of each class; or None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", "The formulas of the focal losses, compiled.", -1,
    functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddIntMacro(module, INTERFACE) < 0)
        Py_CLEAR(module);
    return module;
}
