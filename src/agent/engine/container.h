/* The container id in a cgroup's folder name. Owns the shapes the runtimes use. */
#pragma once
#include "base/slice.h"

#define HM_CONTAINER_ID_MAX 64
/* "docker-<64 hex>.scope", "cri-containerd-<64 hex>.scope", "libpod-<64 hex>.scope", "<64 hex>".
 * Empty: no container. The slice points into name. */
struct hm_slice hm_container_id(struct hm_slice name);
