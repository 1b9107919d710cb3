package kubernetes

import "testing"

func TestPodSecurityStandardsAreFound(t *testing.T) {
	flags(t, "kubernetes-privileged", security("privileged: true"))
	spares(t, "kubernetes-privileged", security("privileged: false"), pod("", ""))
	flags(t, "kubernetes-host-namespaces", pod("hostNetwork: true", ""), pod("hostPID: true, hostIPC: true", ""))
	spares(t, "kubernetes-host-namespaces", pod("hostNetwork: false", ""))
	flags(t, "kubernetes-host-path", pod("volumes: [{name: v, hostPath: {path: /data}}]", ""))
	spares(t, "kubernetes-host-path", pod("volumes: [{name: v, emptyDir: {}}]", ""))
	flags(t, "kubernetes-host-port", pod("", "ports: [{containerPort: 80, hostPort: 80}]"))
	spares(t, "kubernetes-host-port", pod("", "ports: [{containerPort: 80}]"))
	flags(t, "kubernetes-host-probe", pod("", "livenessProbe: {httpGet: {host: 169.254.169.254, port: 80}}"))
	spares(t, "kubernetes-host-probe", pod("", "livenessProbe: {httpGet: {port: 80}}"))
	flags(t, "kubernetes-capabilities", security("capabilities: {add: [SYS_ADMIN]}"))
	spares(t, "kubernetes-capabilities", security("capabilities: {add: [NET_BIND_SERVICE]}"))
	flags(t, "kubernetes-apparmor", security("appArmorProfile: {type: Unconfined}"),
		"apiVersion: v1\nkind: Pod\nmetadata: {annotations: {container.apparmor.security.beta.kubernetes.io/c: "+
			"unconfined}}\nspec: {containers: [{name: c, image: 'a:1'}]}\n")
	spares(t, "kubernetes-apparmor", security("appArmorProfile: {type: RuntimeDefault}"))
	flags(t, "kubernetes-selinux", security("seLinuxOptions: {type: spc_t}"),
		pod("securityContext: {seLinuxOptions: {user: x}}", ""))
	spares(t, "kubernetes-selinux", security("seLinuxOptions: {type: container_t}"))
	flags(t, "kubernetes-proc-mount", security("procMount: Unmasked"))
	spares(t, "kubernetes-proc-mount", security("procMount: Default"))
	flags(t, "kubernetes-seccomp-unconfined", security("seccompProfile: {type: Unconfined}"))
	spares(t, "kubernetes-seccomp-unconfined", security("seccompProfile: {type: RuntimeDefault}"), pod("", ""))
	flags(t, "kubernetes-sysctls", pod("securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}", ""))
	spares(t, "kubernetes-sysctls", pod("securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}", ""))
	flags(t, "kubernetes-windows-host-process", security("windowsOptions: {hostProcess: true}"))
	spares(t, "kubernetes-windows-host-process", security("windowsOptions: {hostProcess: false}"))
	flags(t, "kubernetes-volume-types", pod("volumes: [{name: v, nfs: {server: x, path: /}}]", ""))
	spares(t, "kubernetes-volume-types", pod("volumes: [{name: v, emptyDir: {}}]", ""))
	flags(t, "kubernetes-privilege-escalation", pod("", ""), security("allowPrivilegeEscalation: true"))
	spares(t, "kubernetes-privilege-escalation", security("allowPrivilegeEscalation: false"), good)
	flags(t, "kubernetes-run-as-non-root", pod("", ""), security("runAsNonRoot: false"))
	spares(t, "kubernetes-run-as-non-root", security("runAsNonRoot: true"), good)
	flags(t, "kubernetes-run-as-user-root", security("runAsUser: 0"), pod("securityContext: {runAsUser: 0}", ""))
	spares(t, "kubernetes-run-as-user-root", security("runAsUser: 1"), good)
	flags(t, "kubernetes-seccomp", pod("", ""))
	spares(t, "kubernetes-seccomp", good, security("seccompProfile: {type: Unconfined}")) // the worse one is told
	flags(t, "kubernetes-drop-capabilities", pod("", ""))
	spares(t, "kubernetes-drop-capabilities", good, security("capabilities: {add: [SYS_ADMIN]}"))
}
