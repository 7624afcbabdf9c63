# SPDX-License-Identifier: MIT
# The agent's sources, a list a layer, listed and not globbed: the second map of the code.
SRC_base := \
	err fs log proc str sys sys_default
SRC_model := \
	cluster_document cmdline cmdline_ip daemon_json facts facts_text fstab nic_ids \
	plan role role_address role_check role_decode role_fields role_fields_cluster \
	role_mistake role_scalar role_tree role_value role_value_k8s template toml \
	toml_scan version
SRC_host := \
	artifact artifact_place artifact_stamp block block_id borrow credential env \
	fetch fetch_error fetch_exchange fetch_head fetch_stream journal module \
	module_insert module_uevent mount policy probe probe_nic probe_target report \
	role_source sha256_x86 syslog unpack unpack_child unpack_confine unpack_image \
	unpack_layer unpack_member unpack_rules verify
SRC_net := \
	address clock config dhcp dhcp_client dhcp_options net net_choose net_links \
	net_wait netlink nlmsg packet slaac sntp
SRC_cluster := \
	api api_kind api_status authorities base64 blueprint call certificate \
	certificate_read delivery der discovery etcd etcd_json etcd_key etcd_snapshot \
	etcd_stream genesis genesis_files genesis_objects genesis_record genesis_servers \
	identity image_archive image_program join json jws key key_sign kubeadm_certs \
	kubeconfig kubeconfig_read kubelet_config manifests node_csr node_object objects \
	params params_role pem pki pki_examine pki_wanted render render_credential \
	render_review render_role secret temporary temporary_child yaml yaml_write
SRC_steps := \
	agent artifact_step artifacts cluster cluster_bootstrap cni edit engine \
	engine_containerd engine_docker engine_overlay engine_package exec_flags files \
	hostname images kernel kexec kubelet machine modules network network_ifupdown \
	nic pivot report root root_fsck root_mounts root_prepared root_spec selinux \
	state steps swap swap_fstab swap_sources sysctl unit_file units
SRC_top := \
	agent boot boot_machine boot_role command_node command_render command_status \
	console init rescue run switch_root
