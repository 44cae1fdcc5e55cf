#pragma once
/*
 * workspace.h - a folder for what is not finished yet, beside where it is to go
 *
 * It goes with whoever made it: when that was killed, the next workspace of the same name and parent takes it away.
 */

#include "utils/scoped.h"

struct workspace;

/* parent/.name.XXXXXX, 0700. Errors: -errno. */
int workspace_new(const char *parent, const char *name, struct workspace **ret_workspace);
const char *workspace_path(const struct workspace *workspace);
void workspace_free(struct workspace *workspace); /* with all that is in it */
SCOPED_PTR(struct workspace, workspace_free)
