/* SPDX-License-Identifier: MIT */
/* systemd credentials that the hypervisor or the BMC passes (docs/CREDENTIALS.md of
 * systemd): SMBIOS type 11 strings and QEMU's fw_cfg. */
#ifndef PROMENADE_HOST_CREDENTIAL_H
#define PROMENADE_HOST_CREDENTIAL_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

/* Reads the credential `name`: fw_cfg opt/io.systemd.credentials/NAME, else SMBIOS
 * io.systemd.credential:NAME=VALUE or .binary:NAME=BASE64. Returns 0, 1 when there is
 * none. ret: caller buf_done()s. Needs the modules qemu_fw_cfg and dmi-sysfs. Errors:
 * E_FORMAT for bad base64, E_TOO_BIG, errno of reading. */
int credential_read(struct env *env, const char *name, size_t max, struct buf *ret,
	struct err *err) MUST_USE;

#endif
