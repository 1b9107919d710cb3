package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	strict "sigs.k8s.io/json"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// standard is one control of the Pod Security Standards.
//
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
type standard struct {
	rule.Rule
	check policy.CheckID
	// fields lead from a container, or from the pod, to what breaks the control.
	container, pod [][]string
}

// standards is every control, in the order of the library.
func standards() []standard {
	in := func(fields ...string) [][]string {
		var all [][]string
		for _, f := range fields {
			all = append(all, []string{"securityContext", f})
		}
		return all
	}
	control := func(id string, severity core.Severity, level, title, why, fix, cis string) rule.Rule {
		return rule.Rule{
			ID: "kubernetes-" + id, Title: title, Severity: severity, Why: why, Fix: fix,
			References: []string{"Pod Security Standards: " + level, cis, "NIST SP 800-190 4.4.3",
				"https://kubernetes.io/docs/concepts/security/pod-security-standards/"},
			Weaknesses: []string{"CWE-250"},
		}
	}
	const baseline, restricted = "baseline", "restricted"
	high, medium, low := core.SeverityHigh, core.SeverityMedium, core.SeverityLow
	return []standard{
		{control("privileged", high, baseline, "A container is privileged",
			"A privileged container is root on the node: it sees its devices, and nothing keeps it in.",
			"Take privileged away, and add the one capability that is needed.", "CIS Kubernetes 5.2.2"),
			"privileged", in("privileged"), nil},
		{control("host-namespaces", high, baseline, "A pod shares the namespaces of its node",
			"With the host's network, processes or memory a pod sees, and can disturb, everything else on the node.",
			"Take hostNetwork, hostPID and hostIPC away; publish ports with a Service.", "CIS Kubernetes 5.2.3-5.2.5"),
			"hostNamespaces", nil, [][]string{{"hostNetwork"}, {"hostPID"}, {"hostIPC"}}},
		{control("host-path", high, baseline, "A pod mounts a path of its node",
			"What is written there outlives the pod and is read by the node and by other pods; many paths give the node away.",
			"Use a PersistentVolumeClaim, an emptyDir or a ConfigMap.", "CIS Kubernetes 5.2.11"),
			"hostPathVolumes", nil, [][]string{{"volumes", "*", "hostPath"}}},
		{control("host-port", medium, baseline, "A container takes a port of its node",
			"The port bypasses Services and network policies, and binds the pod to nodes where it is free.",
			"Take hostPort away; publish the port with a Service.", "CIS Kubernetes 5.2.12"),
			"hostPorts", [][]string{{"ports", "*", "hostPort"}}, nil},
		{control("host-probe", medium, baseline, "A probe or hook is sent to another host",
			"The kubelet sends the request from the node's network, which reaches what the pod must not.",
			"Take the field host away.", "CIS Kubernetes 5.2"),
			"hostProbesAndHostLifecycle", [][]string{{"livenessProbe"}, {"readinessProbe"}, {"startupProbe"}, {"lifecycle"}},
			nil},
		{control("capabilities", high, baseline, "A container has more capabilities than the default",
			"Many capabilities, such as SYS_ADMIN, are as good as root on the node.",
			"Drop ALL, and add only what the standard allows.", "CIS Kubernetes 5.2.8"),
			"capabilities_baseline", in("capabilities"), nil},
		{control("apparmor", medium, baseline, "A container runs without AppArmor's profile",
			"The profile is one of the walls between a broken container and its node.",
			"Take the field away, or use RuntimeDefault.", "CIS Kubernetes 5.7.3"),
			"appArmorProfile", in("appArmorProfile"), append(in("appArmorProfile"), []string{"..", "metadata", "annotations"})},
		{control("selinux", medium, baseline, "A container sets SELinux options that loosen it",
			"Another type, user or role takes away what SELinux keeps a container from.",
			"Take seLinuxOptions away, or use the types container_t, container_init_t or container_kvm_t.",
			"CIS Kubernetes 5.7.3"),
			"seLinuxOptions", in("seLinuxOptions"), in("seLinuxOptions")},
		{control("proc-mount", medium, baseline, "A container sees an unmasked /proc",
			"The masked parts of /proc give away the node and change its kernel.",
			"Take procMount away.", "CIS Kubernetes 5.7.3"),
			"procMount", in("procMount"), nil},
		{control("seccomp-unconfined", medium, baseline, "A container runs without a seccomp profile on purpose",
			"Every system call of the kernel is open, those with flaws as well.",
			"Use seccompProfile with the type RuntimeDefault.", "CIS Kubernetes 5.7.2"),
			"seccompProfile_baseline", in("seccompProfile"), append(in("seccompProfile"), []string{"..", "metadata",
				"annotations"})},
		{control("sysctls", medium, baseline, "A pod changes settings of the kernel",
			"Settings outside the safe set reach beyond the pod.",
			"Take the sysctls away, or set them on the nodes.", "CIS Kubernetes 5.7.3"),
			"sysctls", nil, in("sysctls")},
		{control("windows-host-process", high, baseline, "A Windows container is a process of its node",
			"It runs outside any container, with rights on the node.",
			"Take hostProcess away.", "CIS Kubernetes 5.2.10"),
			"windowsHostProcess", in("windowsOptions"), in("windowsOptions")},
		{control("volume-types", low, restricted, "A pod mounts a volume of a type that bypasses the cluster's storage",
			"Volumes of old, built-in types reach storage with the node's rights.",
			"Use a PersistentVolumeClaim, ConfigMap, Secret, emptyDir, CSI or projected volume.", "CIS Kubernetes 5.2.11"),
			"restrictedVolumes", nil, [][]string{{"volumes"}}},
		{control("privilege-escalation", medium, restricted, "A process may gain more rights than its parent",
			"A setuid program in the image is enough to become root in the container.",
			"Set allowPrivilegeEscalation: false in the container's securityContext.", "CIS Kubernetes 5.2.6"),
			"allowPrivilegeEscalation", in("allowPrivilegeEscalation"), nil},
		{control("run-as-non-root", medium, restricted, "A container may run as root",
			"Nothing keeps the image from running as root, which is one flaw away from root on the node.",
			"Set runAsNonRoot: true in the securityContext of the pod.", "CIS Kubernetes 5.2.7"),
			"runAsNonRoot", in("runAsNonRoot"), in("runAsNonRoot")},
		{control("run-as-user-root", medium, restricted, "A container runs as root",
			"The user is set to 0, whatever the image says.",
			"Set runAsUser to another number, or take it away.", "CIS Kubernetes 5.2.7"),
			"runAsUser", in("runAsUser"), in("runAsUser")},
		{control("seccomp", low, restricted, "A container runs without a seccomp profile",
			"Unless the kubelet has a default, every system call of the kernel is open.",
			"Set seccompProfile: {type: RuntimeDefault} in the securityContext of the pod.", "CIS Kubernetes 5.7.2"),
			"seccompProfile_restricted", in("seccompProfile"), in("seccompProfile")},
		{control("drop-capabilities", low, restricted, "A container keeps the default capabilities",
			"Few programs need any of them, and some of them help an attacker.",
			"Set capabilities: {drop: [ALL]} in the container's securityContext.", "CIS Kubernetes 5.2.9"),
			"capabilities_restricted", in("capabilities"), nil},
	}
}

// evaluated is a control with the check of the library's latest version, and those that its failing makes needless.
type evaluated struct {
	standard
	pod       policy.CheckPodFn
	overrides []policy.CheckID
	level     api.Level
}

func evaluators() []evaluated {
	var all []evaluated
	known := policy.DefaultChecks()
	for _, s := range standards() {
		for _, c := range known {
			if c.ID == s.check {
				last := c.Versions[len(c.Versions)-1]
				all = append(all, evaluated{s, last.CheckPod, last.OverrideCheckIDs, c.Level})
			}
		}
	}
	return all
}

// podSecurity evaluates every control on every workload, for each container on its own.
func podSecurity(ctx context.Context, c *rule.Collector, f *file) {
	if len(f.workloads) == 0 {
		return
	}
	checks := evaluators()
	for _, w := range f.workloads {
		if ctx.Err() != nil {
			return
		}
		meta, spec, err := decode(w)
		if err != nil {
			if w.builtin {
				c.Problem(fmt.Sprintf("%s in line %d is not what Kubernetes accepts: %v", w.title(), w.spec.Line(), err))
			}
			continue
		}
		failed := map[policy.CheckID]bool{}
		for _, check := range checks {
			if check.level == api.LevelRestricted && (w.patch || slices.ContainsFunc(check.overrides,
				func(id policy.CheckID) bool { return failed[id] })) {
				continue
			}
			result := check.pod(meta, spec)
			if result.Allowed {
				continue
			}
			failed[check.check] = true
			for _, h := range w.broken(check, meta, spec, result) {
				c.Hit(check.Rule, h)
			}
		}
	}
}

// broken are the hits of a control that a pod breaks: one for each container that breaks it by itself, otherwise one
// for the pod.
func (w workload) broken(check evaluated, meta *metav1.ObjectMeta, spec *corev1.PodSpec,
	result policy.CheckResult) []rule.Hit {
	var all []rule.Hit
	for i, only := range single(spec) {
		if i >= len(w.containers) || !check.pod(meta, without(spec)).Allowed {
			break // the pod breaks it without any container
		}
		if check.pod(meta, only).Allowed {
			continue
		}
		c := w.containers[i]
		at := firstOf(c.Node, check.container)
		all = append(all, w.on(c, at, ""))
	}
	if len(all) > 0 {
		return all
	}
	at := firstOf(w.spec, check.standard.pod)
	if !at.Exists() && len(check.standard.pod) > 0 && check.standard.pod[len(check.standard.pod)-1][0] == ".." {
		at = w.template.Get("metadata", "annotations")
	}
	return []rule.Hit{w.hit(at, result.ForbiddenDetail)}
}

// single returns the pod with each of its containers alone, in the order of workload.containers.
func single(spec *corev1.PodSpec) []*corev1.PodSpec {
	var all []*corev1.PodSpec
	for i := range spec.InitContainers {
		only := without(spec)
		only.InitContainers = spec.InitContainers[i : i+1]
		all = append(all, only)
	}
	for i := range spec.Containers {
		only := without(spec)
		only.Containers = spec.Containers[i : i+1]
		all = append(all, only)
	}
	for i := range spec.EphemeralContainers {
		only := without(spec)
		only.EphemeralContainers = spec.EphemeralContainers[i : i+1]
		all = append(all, only)
	}
	return all
}

func without(spec *corev1.PodSpec) *corev1.PodSpec {
	bare := *spec
	bare.InitContainers, bare.Containers, bare.EphemeralContainers = nil, nil, nil
	return &bare
}

// firstOf returns the first node that one of the ways leads to. "*" is every entry of a list.
func firstOf(n yamldoc.Node, ways [][]string) yamldoc.Node {
	for _, way := range ways {
		if found := follow(n, way); found.Exists() {
			return found
		}
	}
	return yamldoc.Node{}
}

func follow(n yamldoc.Node, way []string) yamldoc.Node {
	for i, step := range way {
		if step == "*" {
			for _, item := range n.Items() {
				if found := follow(item, way[i+1:]); found.Exists() {
					return found
				}
			}
			return yamldoc.Node{}
		}
		if i == len(way)-1 {
			return n.Key(step)
		}
		n = n.Get(step)
	}
	return n
}

// decode reads the pods of a workload as the API server does.
func decode(w workload) (meta *metav1.ObjectMeta, spec *corev1.PodSpec, err error) {
	defer func() {
		if p := recover(); p != nil {
			meta, spec, err = nil, nil, fmt.Errorf("it cannot be decoded")
		}
	}()
	var pod struct {
		Annotations map[string]string `json:"annotations"`
		Spec        corev1.PodSpec    `json:"spec"`
	}
	value, err := w.spec.Value()
	if err != nil {
		return nil, nil, err
	}
	whole := map[string]any{"spec": value}
	annotations := map[string]string{}
	for _, p := range w.template.Get("metadata", "annotations").Pairs() {
		annotations[p.Key.Text()] = p.Value.Text()
	}
	data, err := json.Marshal(whole)
	if err != nil {
		return nil, nil, err
	}
	if err := strict.UnmarshalCaseSensitivePreserveInts(data, &pod); err != nil {
		return nil, nil, err
	}
	return &metav1.ObjectMeta{Annotations: annotations}, &pod.Spec, nil
}
