package kubernetes

import "testing"

func TestPodSecurityStandardsAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-privileged", security("privileged: true"))
	family.Spares(t, "kubernetes-privileged", security("privileged: false"), pod("", ""))
	family.Flags(t, "kubernetes-host-namespaces", pod("hostNetwork: true", ""), pod("hostPID: true, hostIPC: true", ""))
	family.Spares(t, "kubernetes-host-namespaces", pod("hostNetwork: false", ""))
	family.Flags(t, "kubernetes-host-path", pod("volumes: [{name: v, hostPath: {path: /data}}]", ""))
	family.Spares(t, "kubernetes-host-path", pod("volumes: [{name: v, emptyDir: {}}]", ""))
	family.Flags(t, "kubernetes-host-port", pod("", "ports: [{containerPort: 80, hostPort: 80}]"))
	family.Spares(t, "kubernetes-host-port", pod("", "ports: [{containerPort: 80}]"))
	family.Flags(t, "kubernetes-host-probe", pod("", "livenessProbe: {httpGet: {host: 169.254.169.254, port: 80}}"))
	family.Spares(t, "kubernetes-host-probe", pod("", "livenessProbe: {httpGet: {port: 80}}"))
	family.Flags(t, "kubernetes-capabilities", security("capabilities: {add: [SYS_ADMIN]}"))
	family.Spares(t, "kubernetes-capabilities", security("capabilities: {add: [NET_BIND_SERVICE]}"))
	family.Flags(t, "kubernetes-apparmor", security("appArmorProfile: {type: Unconfined}"),
		"apiVersion: v1\nkind: Pod\nmetadata: {annotations: {container.apparmor.security.beta.kubernetes.io/c: "+
			"unconfined}}\nspec: {containers: [{name: c, image: 'a:1'}]}\n")
	family.Spares(t, "kubernetes-apparmor", security("appArmorProfile: {type: RuntimeDefault}"))
	family.Flags(t, "kubernetes-selinux", security("seLinuxOptions: {type: spc_t}"),
		pod("securityContext: {seLinuxOptions: {user: x}}", ""))
	family.Spares(t, "kubernetes-selinux", security("seLinuxOptions: {type: container_t}"))
	family.Flags(t, "kubernetes-proc-mount", security("procMount: Unmasked"))
	family.Spares(t, "kubernetes-proc-mount", security("procMount: Default"))
	family.Flags(t, "kubernetes-seccomp-unconfined", security("seccompProfile: {type: Unconfined}"))
	family.Spares(t, "kubernetes-seccomp-unconfined", security("seccompProfile: {type: RuntimeDefault}"), pod("", ""))
	family.Flags(t, "kubernetes-sysctls", pod("securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}", ""))
	family.Spares(t, "kubernetes-sysctls", pod("securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}", ""))
	family.Flags(t, "kubernetes-windows-host-process", security("windowsOptions: {hostProcess: true}"))
	family.Spares(t, "kubernetes-windows-host-process", security("windowsOptions: {hostProcess: false}"))
	family.Flags(t, "kubernetes-volume-types", pod("volumes: [{name: v, nfs: {server: x, path: /}}]", ""))
	family.Spares(t, "kubernetes-volume-types", pod("volumes: [{name: v, emptyDir: {}}]", ""))
	family.Flags(t, "kubernetes-privilege-escalation", pod("", ""), security("allowPrivilegeEscalation: true"))
	family.Spares(t, "kubernetes-privilege-escalation", security("allowPrivilegeEscalation: false"), good)
	family.Flags(t, "kubernetes-run-as-non-root", pod("", ""), security("runAsNonRoot: false"))
	family.Spares(t, "kubernetes-run-as-non-root", security("runAsNonRoot: true"), good)
	family.Flags(t, "kubernetes-run-as-user-root", security("runAsUser: 0"), pod("securityContext: {runAsUser: 0}", ""))
	family.Spares(t, "kubernetes-run-as-user-root", security("runAsUser: 1"), good)
	family.Flags(t, "kubernetes-seccomp", pod("", ""))
	family.Spares(t, "kubernetes-seccomp", good, security("seccompProfile: {type: Unconfined}")) // the worse one is told
	family.Flags(t, "kubernetes-drop-capabilities", pod("", ""))
	family.Spares(t, "kubernetes-drop-capabilities", good, security("capabilities: {add: [SYS_ADMIN]}"))
}
