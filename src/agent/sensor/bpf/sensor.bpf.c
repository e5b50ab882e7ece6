/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel sensor: one object, a file per idea. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"
#include "agent/sensor/flags.h"
#include "agent/sensor/calls.h"
#include "compat.bpf.h"
#include "common.bpf.h"
#include "address.bpf.h"
#include "path.bpf.h"
#include "image.bpf.h"
#include "exec.bpf.c"
#include "lifecycle.bpf.c"
#include "network.bpf.c"
#include "calls.bpf.c"
#include "dns.bpf.c"
#include "snapshot.bpf.c"
#include "missed.bpf.c"

char LICENSE[] SEC("license") = "GPL"; /* the kernel's word for "GPL-2.0-or-later" */
