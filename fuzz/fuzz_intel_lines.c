/* Feeds of lines: CSV, plain lists and signature-base's files, each of them with the same bytes. */
#include "intel_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum hm_intel_format formats[] = {
        HM_INTEL_FORMAT_AUTO,   HM_INTEL_FORMAT_CSV,   HM_INTEL_FORMAT_LIST,
        HM_INTEL_FORMAT_HASHES, HM_INTEL_FORMAT_HOSTS, HM_INTEL_FORMAT_FILENAMES};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        fuzz_feed(hm_slice(data, size), formats[i]);
    return 0;
}
