/* Detection content from the command line: pack.c makes an upload of a folder, content.c speaks
 * with the server. */
#pragma once
#include "cli/cli.h"

int hm_content_source(struct hm_cli *c); /* content_source.c: `hinomi content source` */
/* A pack (wire/bundle.h) of the files beneath a folder, or of one rule file; a bundle file as it
 * is. Names a bundle cannot hold are written with _ in their place. */
int hm_pack(const char *path, struct hm_buf *out, struct hm_error *err) HM_CHECK;
