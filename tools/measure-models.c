// Times a library's evaluation of single rows through its C interface, as an engine in C would call it.
//
//   measure-models lightgbm|xgboost|onnxruntime LIBRARY MODEL ROWS COLUMNS OUTPUT
//
// LIBRARY is the shared library of the Python package. ROWS holds little-endian doubles, row by row. Prints the nanoseconds a row of
// the median pass, behind one that is not counted, and writes what the library gives each row as a double: LightGBM and XGBoost
// the score before the logistic function, onnxruntime the second entry of `probabilities`. One thread; whatever can be prepared or kept
// between calls is.
//
// Prototypes stand here as the libraries document them, so that no headers are needed.

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES = 5 };

static void fail(const char *what) {
    fprintf(stderr, "measure-models: %s\n", what);
    exit(1);
}

static void *library;

static void *symbol(const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail(name);
    return found;
}

static int columns;
static double *doubles; // the rows
static float *floats;   // the same
static double (*evaluate)(long row);

// LightGBM 4: include/LightGBM/c_api.h.
static int (*lightgbm_predict)(void *, const void *, int64_t *, double *);
static void *lightgbm_fast;

static double lightgbm_row(long row) {
    int64_t length;
    double score;
    if (lightgbm_predict(lightgbm_fast, doubles + row * columns, &length, &score)) fail("LightGBM's prediction");
    return score;
}

static void lightgbm(const char *model) {
    int (*load)(const char *, int *, void **) = symbol("LGBM_BoosterCreateFromModelfile");
    int (*prepare)(void *, int, int, int, int, int32_t, const char *, void **) =
        symbol("LGBM_BoosterPredictForMatSingleRowFastInit");
    lightgbm_predict = symbol("LGBM_BoosterPredictForMatSingleRowFast");
    int iterations;
    void *booster;
    if (load(model, &iterations, &booster)) fail("LightGBM's model");
    // Raw scores, all iterations, of doubles.
    if (prepare(booster, 1, 0, -1, 1, columns, "num_threads=1", &lightgbm_fast)) fail("LightGBM's configuration");
    evaluate = lightgbm_row;
}

// XGBoost 3: include/xgboost/c_api.h. The matrix is described by text; it always stands in the same place.
static int (*xgboost_predict)(void *, const char *, const char *, void *, const uint64_t **, uint64_t *, const float **);
static void *xgboost_booster;
static float *xgboost_row_values;
static char xgboost_matrix[200];
static const char *xgboost_how = "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "
                                 "\"strict_shape\": false, \"missing\": NaN, \"cache_id\": 0}";

static double xgboost_row(long row) {
    const uint64_t *shape;
    uint64_t dimensions;
    const float *scores;
    memcpy(xgboost_row_values, floats + row * columns, columns * sizeof(float));
    if (xgboost_predict(xgboost_booster, xgboost_matrix, xgboost_how, NULL, &shape, &dimensions, &scores))
        fail(((const char *(*)(void))symbol("XGBGetLastError"))());
    return scores[0];
}

static void xgboost(const char *model) {
    int (*create)(const void *, uint64_t, void **) = symbol("XGBoosterCreate");
    int (*load)(void *, const char *) = symbol("XGBoosterLoadModel");
    int (*set)(void *, const char *, const char *) = symbol("XGBoosterSetParam");
    xgboost_predict = symbol("XGBoosterPredictFromDense");
    if (create(NULL, 0, &xgboost_booster) || load(xgboost_booster, model)) fail("XGBoost's model");
    if (set(xgboost_booster, "nthread", "1")) fail("XGBoost's threads");
    xgboost_row_values = malloc(columns * sizeof(float));
    snprintf(xgboost_matrix, sizeof xgboost_matrix,
             "{\"data\": [%llu, false], \"shape\": [1, %d], \"typestr\": \"<f4\", \"version\": 3}",
             (unsigned long long)(uintptr_t)xgboost_row_values, columns);
    evaluate = xgboost_row;
}

// onnxruntime: include/onnxruntime/core/session/onnxruntime_c_api.h. Its interface is a table of functions that only grows: here by
// their numbers.
enum { CREATE_ENV = 3, CREATE_SESSION = 7, RUN = 9, CREATE_OPTIONS = 10, INTRA_THREADS = 24, INTER_THREADS = 25, CREATE_TENSOR = 49, MEMORY = 69 };
static void *const *onnx;
static void *onnx_session, *onnx_input, *onnx_output;
static float *onnx_row_values, onnx_probabilities[2];

static void good(void *status, const char *what) {
    if (status) {
        fprintf(stderr, "%s\n", ((const char *(*)(void *))onnx[2])(status));
        fail(what);
    }
}

static double onnx_row(long row) {
    static const char *const inputs[] = {"input"}, *const outputs[] = {"probabilities"};
    memcpy(onnx_row_values, floats + row * columns, columns * sizeof(float));
    void *(*run)(void *, const void *, const char *const *, void *const *, size_t, const char *const *, size_t, void **) =
        onnx[RUN];
    good(run(onnx_session, NULL, inputs, &onnx_input, 1, outputs, 1, &onnx_output), "onnxruntime's run");
    return onnx_probabilities[1];
}

static void onnxruntime(const char *model) {
    struct base { void *const *(*api)(uint32_t); };
    const struct base *(*get)(void) = symbol("OrtGetApiBase");
    onnx = get()->api(16);
    if (!onnx) fail("onnxruntime's interface");
    void *environment, *options, *memory;
    good(((void *(*)(int, const char *, void **))onnx[CREATE_ENV])(3, "m", &environment), "environment");
    good(((void *(*)(void **))onnx[CREATE_OPTIONS])(&options), "options");
    good(((void *(*)(void *, int))onnx[INTRA_THREADS])(options, 1), "threads");
    good(((void *(*)(void *, int))onnx[INTER_THREADS])(options, 1), "threads");
    good(((void *(*)(void *, const char *, void *, void **))onnx[CREATE_SESSION])(environment, model, options, &onnx_session), "session");
    good(((void *(*)(int, int, void **))onnx[MEMORY])(0, 0, &memory), "memory");
    onnx_row_values = malloc(columns * sizeof(float));
    int64_t shapes[2][2] = {{1, columns}, {1, 2}};
    void *(*tensor)(void *, void *, size_t, const int64_t *, size_t, int, void **) = onnx[CREATE_TENSOR];
    good(tensor(memory, onnx_row_values, columns * sizeof(float), shapes[0], 2, 1, &onnx_input), "input");
    good(tensor(memory, onnx_probabilities, sizeof onnx_probabilities, shapes[1], 2, 1, &onnx_output), "output");
    evaluate = onnx_row;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count != 7) fail("lightgbm|xgboost|onnxruntime LIBRARY MODEL ROWS COLUMNS OUTPUT");
    library = dlopen(arguments[2], RTLD_NOW);
    if (!library) fail(dlerror());
    columns = atoi(arguments[5]);
    FILE *file = fopen(arguments[4], "rb");
    if (!file || columns <= 0) fail("the rows");
    fseek(file, 0, SEEK_END);
    long numbers = ftell(file) / (long)sizeof(double), rows = numbers / columns;
    rewind(file);
    doubles = malloc(numbers * sizeof(double));
    floats = malloc(numbers * sizeof(float));
    double *results = malloc(rows * sizeof(double));
    if (!doubles || !floats || !results || fread(doubles, sizeof(double), numbers, file) != (size_t)numbers) fail("the rows");
    for (long at = 0; at < numbers; at++) floats[at] = (float)doubles[at];
    fclose(file);

    if (!strcmp(arguments[1], "lightgbm")) lightgbm(arguments[3]);
    else if (!strcmp(arguments[1], "xgboost")) xgboost(arguments[3]);
    else if (!strcmp(arguments[1], "onnxruntime")) onnxruntime(arguments[3]);
    else fail("no such library");

    double times[PASSES];
    for (int pass = -1; pass < PASSES; pass++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (long row = 0; row < rows; row++) results[row] = evaluate(row);
        clock_gettime(CLOCK_MONOTONIC, &to);
        if (pass >= 0) times[pass] = ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / rows;
    }
    qsort(times, PASSES, sizeof(double), by_size);
    printf("%f\n", times[PASSES / 2]);
    file = fopen(arguments[6], "wb");
    if (!file || fwrite(results, sizeof(double), rows, file) != (size_t)rows || fclose(file)) fail("the output");
    return 0;
}
