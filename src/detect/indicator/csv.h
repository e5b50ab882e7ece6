/* Feeds with columns. */
#pragma once
#include "base/slice.h"

/* Does the first line that is no comment name columns that we know? */
bool hm_csv_looks(struct hm_slice feed);
