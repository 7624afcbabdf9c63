/* SPDX-License-Identifier: MIT */
/* The operations of every step, each defined in the file of its name; steps.c puts them
 * into the one table. Nobody but steps.c and tests needs this header. */
#ifndef PROMENADE_STEPS_OPS_H
#define PROMENADE_STEPS_OPS_H

#include "steps/step.h"

extern const struct step_ops step_kernel_ops;
extern const struct step_ops step_nic_ops;
extern const struct step_ops step_machine_ops;
extern const struct step_ops step_root_ops;
extern const struct step_ops step_modules_ops;
extern const struct step_ops step_swap_ops;
extern const struct step_ops step_engine_ops;
extern const struct step_ops step_artifacts_ops;
extern const struct step_ops step_cni_ops;
extern const struct step_ops step_images_ops;
extern const struct step_ops step_kubelet_ops;
extern const struct step_ops step_agent_ops;
extern const struct step_ops step_network_ops;
extern const struct step_ops step_files_ops;
extern const struct step_ops step_units_ops;
extern const struct step_ops step_hostname_ops;
extern const struct step_ops step_sysctl_ops;
extern const struct step_ops step_state_ops;
extern const struct step_ops step_cluster_ops;
extern const struct step_ops step_report_ops;
extern const struct step_ops step_pivot_ops;

#endif
