package kubernetes

import "testing"

func binding(kind, role, subject string) string {
	return "apiVersion: rbac.authorization.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: b}\nroleRef: {kind: " +
		"ClusterRole, name: " + role + "}\nsubjects: [{kind: Group, name: '" + subject + "'}]\n"
}

func role(kind, rule string) string {
	return "apiVersion: rbac.authorization.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: r}\nrules: [{" + rule + "}]\n"
}

func TestSocketsOfEnginesAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-engine-socket", pod("volumes: [{name: v, hostPath: {path: /var/run/docker.sock}}]", ""),
		pod("volumes: [{name: v, hostPath: {path: /run/containerd/}}]", ""))
	family.Spares(t, "kubernetes-engine-socket", pod("volumes: [{name: v, hostPath: {path: /data}}]", ""))
}

func TestClusterAdminIsFound(t *testing.T) {
	family.Flags(t, "kubernetes-cluster-admin", binding("ClusterRoleBinding", "cluster-admin", "devs"), binding("RoleBinding",
		"cluster-admin", "devs"))
	family.Spares(t, "kubernetes-cluster-admin", binding("ClusterRoleBinding", "view", "devs"))
}

func TestBindingsToEverybodyAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-anonymous-binding", binding("ClusterRoleBinding", "view", "system:unauthenticated"))
	family.Spares(t, "kubernetes-anonymous-binding", binding("ClusterRoleBinding", "view", "devs"), binding("ClusterRoleBinding",
		"system:public-info-viewer", "system:unauthenticated"))
}

func TestWildcardsAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-rbac-wildcard", role("ClusterRole", "apiGroups: ['*'], resources: ['*'], verbs: ['*']"),
		role("Role", "resources: [pods], verbs: ['*']"))
	family.Spares(t, "kubernetes-rbac-wildcard", role("ClusterRole", "resources: [pods], verbs: [get]"), role("ClusterRole",
		"nonResourceURLs: ['*'], verbs: [get]"))
}

func TestRolesThatEscalateAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-rbac-escalation", role("ClusterRole", "resources: [users], verbs: [impersonate]"), role("Role",
		"resources: [pods/exec], verbs: [create]"))
	family.Spares(t, "kubernetes-rbac-escalation", role("ClusterRole", "resources: [pods/exec], verbs: [get]"),
		role("ClusterRole", "resources: [roles], verbs: [bind], resourceNames: [x]"))
}

func TestRolesThatReadAllSecretsAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-rbac-secrets", role("ClusterRole", "resources: [secrets], verbs: [list]"))
	family.Spares(t, "kubernetes-rbac-secrets", role("Role", "resources: [secrets], verbs: [list]"), role("ClusterRole",
		"resources: [secrets], verbs: [get], resourceNames: [x]"))
}

func TestSecretsInVariablesAreFoundAndNotShown(t *testing.T) {
	family.Flags(t, "kubernetes-secret-variable", pod("", "env: [{name: DB_PASSWORD, value: hunter22}]"))
	family.Spares(t, "kubernetes-secret-variable", pod("", "env: [{name: DB_PASSWORD, value: $(OTHER)}]"), pod("",
		"env: [{name: DB_PASSWORD_FILE, value: /x}]"))
	one, two := family.Found(t, "kubernetes-secret-variable", pod("", "env: [{name: TOKEN, value: hunter22}]"))[0], family.Found(t,
		"kubernetes-secret-variable", pod("", "env: [{name: TOKEN, value: hunter23}]"))[0]
	if one.Title != two.Title || one.Fingerprint != two.Fingerprint {
		t.Error("the secret shows")
	}
}

func TestSecretsAsVariablesAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-secret-as-variable", pod("", "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]"),
		pod("", "envFrom: [{secretRef: {name: s}}]"))
	family.Spares(t, "kubernetes-secret-as-variable", pod("", "env: [{name: A, valueFrom: {configMapKeyRef: {name: s, key: "+
		"k}}}]"))
}

func TestSecretsInManifestsAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-secret-manifest", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aHVudGVyMjI=}\n",
		"apiVersion: v1\nkind: Secret\nstringData: {a: hunter22}\n")
	family.Spares(t, "kubernetes-secret-manifest", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
		"apiVersion: v1\nkind: Secret\nstringData: {a: <password>}\n",
		"apiVersion: v1\nkind: Secret\nstringData: {a: hunter22}\nsops: {mac: x}\n",
		"apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: {encryptedData: {a: hunter22}}\n")
}

func TestWritableMountsOfSecretsAreFound(t *testing.T) {
	volumes := "volumes: [{name: v, secret: {secretName: s}}, {name: w, emptyDir: {}}]"
	family.Flags(t, "kubernetes-writable-secret-mount", pod(volumes, "volumeMounts: [{name: v, mountPath: /v}]"))
	family.Spares(t, "kubernetes-writable-secret-mount", pod(volumes, "volumeMounts: [{name: v, mountPath: /v, readOnly: "+
		"true}, {name: w, mountPath: /w}]"))
}

func TestUnencryptedStorageIsFound(t *testing.T) {
	class := "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: s}\n"
	family.Flags(t, "kubernetes-unencrypted-storage", class+"provisioner: ebs.csi.aws.com\n",
		class+"provisioner: ebs.csi.aws.com\nparameters: {encrypted: 'false'}\n")
	family.Spares(t, "kubernetes-unencrypted-storage", class+"provisioner: ebs.csi.aws.com\nparameters: {encrypted: 'true'}\n",
		class+"provisioner: pd.csi.storage.gke.io\n")
}

func TestLatestImagesAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-latest-image", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: nginx}]}\n",
		"apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: 'r.example:5000/a:latest'}]}\n")
	family.Spares(t, "kubernetes-latest-image", good, "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: "+
		"$(params.x)}]}\n")
}

func TestMissingLimitsAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-resource-limits", pod("", ""), pod("", "resources: {limits: {cpu: 1}}"))
	family.Spares(t, "kubernetes-resource-limits", good)
}

func TestMissingProbesAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-missing-probes", "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: "+
		"{containers: [{name: c, image: 'a:1'}]}}}\n")
	family.Spares(t, "kubernetes-missing-probes", good, pod("", ""), "apiVersion: batch/v1\nkind: Job\nspec: {template: "+
		"{spec: {containers: [{name: c, image: 'a:1'}]}}}\n")
}

func TestWritableRootsAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-writable-root", pod("", ""), security("readOnlyRootFilesystem: false"))
	family.Spares(t, "kubernetes-writable-root", good)
}

func TestTokensForTheAPIServerAreFound(t *testing.T) {
	family.Flags(t, "kubernetes-service-account-token", pod("", ""), pod("automountServiceAccountToken: true", ""))
	family.Spares(t, "kubernetes-service-account-token", good, pod("serviceAccountName: a",
		"")+"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nautomountServiceAccountToken: false\n")
}

func TestNamespacesWithoutPolicyAreFound(t *testing.T) {
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"
	family.Flags(t, "kubernetes-network-policy", namespace)
	family.Spares(t, "kubernetes-network-policy", namespace+"---\napiVersion: networking.k8s.io/v1\nkind: "+
		"NetworkPolicy\nmetadata: {name: p, namespace: n}\n")
}

func TestIngressesWithoutTLSAreFound(t *testing.T) {
	ingress := "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec:\n  rules: [{host: x}]\n"
	family.Flags(t, "kubernetes-ingress-tls", ingress)
	family.Spares(t, "kubernetes-ingress-tls", ingress+"  tls: [{hosts: [x], secretName: s}]\n")
}
