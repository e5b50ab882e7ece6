/* Runs a fuzz target over the seeds of the folders it is given: as they are, cut at every place,
 * and with single bytes changed. An ordinary test for compilers without libFuzzer; a folder without
 * seeds fails it. */
#include "base/slice.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define SEED_MAX  (1 << 20)
#define PLACES    2000 /* cuts and flips of one seed */
#define PATH_ROOM 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly that size on the heap, so that a sanitizer sees the first byte read too far. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size)
{
    size_t step = size / PLACES + 1;

    run(data, size);
    for (size_t at = 0; at < size; at += step) {
        uint8_t was = data[at];
        run(data, at);
        data[at] = (uint8_t)(was ^ 1u << at % 8);
        run(data, size);
        data[at] = 0xff;
        run(data, size);
        data[at] = was;
    }
}

static int run_file(const char *path)
{
    static uint8_t data[SEED_MAX];
    FILE *f = fopen(path, "rb");

    if (!f)
        return -1;
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    run_variants(data, size);
    return 0;
}

static int run_folder(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *de;
    char path[PATH_ROOM];
    int seeds = 0;

    while (d && (de = readdir(d))) {
        if (de->d_name[0] == '.')
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, de->d_name);
        if (n > 0 && n < PATH_ROOM && run_file(path) == 0)
            seeds++;
    }
    if (d)
        closedir(d);
    printf("%s: %d seeds\n", folder, seeds);
    return seeds;
}

int main(int argc, char **argv)
{
    int empty = argc < 2;

    run(NULL, 0);
    for (int i = 1; i < argc; i++)
        empty |= run_folder(argv[i]) == 0;
    return empty;
}
